-- The team as it is looked at: live workers alone, the last changed first. It covers what filters ask, so
-- that neither archived workers nor those at rest cost a look at their rows.
CREATE INDEX workers_live ON workers (updated_at, id, state, owner_ref, repo_key, created_at)
    WHERE archived_at IS NULL;
