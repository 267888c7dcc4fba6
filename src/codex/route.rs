use super::event::{ending, event};
use crate::backend::{Ending, EventSink, ItemPhase, Sandbox, ThreadSpec, TurnEvent};
use serde_json::Value;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Directories that codex's sandbox makes to mount over, and can leave behind (seen on 0.169.0).
const MOUNT_POINTS: &[&str] = &[".agents", ".aws", ".codex"];

/// The way of one turn's events from the connection to its sink.
#[derive(Debug)]
pub(super) struct Route {
    sink: EventSink,
    /// The worker's temporary directory: commands of the turn carry it in their environment.
    pub(super) tmp: PathBuf,
    /// Whether the turn may ask for what its sandbox does not allow.
    pub(super) may_ask: bool,
    /// The worker's worktree, where the sandbox can leave directories behind.
    tree: Option<PathBuf>,
    state: Mutex<State>,
    /// Rings when the last open item is closed after the end of the turn.
    pub(super) settled: Notify,
    over: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    turn: Option<String>,
    began: bool,
    open: HashSet<String>,
    held: Option<Vec<TurnEvent>>,
    /// Where the turn began before the connection: the items of which all pieces came here.
    seen: Option<HashSet<String>>,
    /// Items of which a piece was dropped because nobody took it in time.
    gaps: HashSet<String>,
    ending: Option<Ending>,
    finished: bool,
}

/// What the connection has to do after a notification.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Go,
    /// The turn is over and all its items are whole.
    Over,
    /// The turn is over, but commands may still run: end them, wait for their items, then end.
    Settle,
}

impl Route {
    /// A route for a turn that is about to start.
    pub(super) fn starting(sink: EventSink, spec: &ThreadSpec) -> Self {
        Self::new(sink, spec, State::default())
    }

    /// A route for a turn that runs already: events are held until the missed ones were delivered.
    pub(super) fn attaching(sink: EventSink, spec: &ThreadSpec, turn: &str) -> Self {
        let turn = Some(turn.to_owned());
        Self::new(
            sink,
            spec,
            State {
                turn,
                began: true,
                held: Some(Vec::new()),
                seen: Some(HashSet::new()),
                ..State::default()
            },
        )
    }

    fn new(sink: EventSink, spec: &ThreadSpec, state: State) -> Self {
        let over = watch::Sender::new(false);
        Self {
            sink,
            tmp: spec.tmp.clone(),
            tree: (spec.sandbox == Sandbox::Worktree).then(|| spec.cwd.clone()),
            may_ask: spec.may_ask,
            state: Mutex::new(state),
            settled: Notify::new(),
            over,
        }
    }

    /// Removes the mount points that are left; one that holds something is not empty and stays.
    fn sweep(&self) {
        for name in MOUNT_POINTS {
            if let Some(tree) = &self.tree {
                let _ = std::fs::remove_dir(tree.join(name));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent's id of the turn, once it is known.
    pub(super) fn turn(&self) -> Option<String> {
        self.state().turn.clone()
    }

    /// Whether these parameters name this turn.
    pub(super) fn is_of(&self, params: &Value) -> bool {
        params["turnId"].as_str().is_some_and(|turn| self.turn().as_deref() == Some(turn))
    }

    /// Waits until the turn is over.
    pub(super) async fn over(&self) {
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    /// The agent named the turn, in its answer or in `turn/started`, whichever came first.
    pub(super) async fn begin(&self, turn: &str) {
        {
            let mut state = self.state();
            if state.began {
                return;
            }
            state.began = true;
            state.turn = Some(turn.to_owned());
        }
        self.emit(TurnEvent::Began { backend_turn_id: turn.to_owned() }).await;
    }

    /// Puts an event into the sink, or holds it. Deltas are dropped rather than waited for.
    pub(super) async fn emit(&self, event: TurnEvent) {
        let event = {
            let mut state = self.state();
            match &mut state.held {
                Some(held) => {
                    held.push(event);
                    return;
                }
                None => event,
            }
        };
        match event {
            TurnEvent::Delta { item_id, text, gap } => self.piece(item_id, text, gap),
            event => drop(self.sink.send(event).await),
        }
    }

    /// Passes a piece on, or drops it and says so with the next one.
    fn piece(&self, item_id: String, text: String, gap: bool) {
        let gap = gap || self.state().gaps.remove(&item_id);
        let delta = TurnEvent::Delta { item_id: item_id.clone(), text, gap };
        if self.sink.try_send(delta).is_err() {
            self.state().gaps.insert(item_id);
        }
    }

    /// Delivers what was missed, then what was held meanwhile, then lets events through.
    pub(super) async fn release(&self, missed: Vec<TurnEvent>) {
        for event in missed {
            let _ = self.sink.send(event).await;
        }
        loop {
            let held = {
                let mut state = self.state();
                match state.held.as_mut().map(std::mem::take) {
                    Some(held) if !held.is_empty() => held,
                    _ => {
                        state.held = None;
                        return;
                    }
                }
            };
            for event in held {
                let _ = self.sink.send(event).await;
            }
        }
    }

    /// Takes a notification of this thread.
    pub(super) async fn take(&self, method: &str, params: &Value) -> Step {
        let turn = params["turnId"].as_str().or_else(|| params["turn"]["id"].as_str());
        if method == "turn/started"
            && let Some(turn) = turn
        {
            self.begin(turn).await;
            return Step::Go;
        }
        // An event of an earlier turn may come late; it is not this turn's.
        if turn.is_none() || self.turn().as_deref() != turn {
            return Step::Go;
        }
        if method == "turn/completed" {
            return self.complete(&params["turn"]);
        }
        let Some(mut event) = event(method, params) else { return Step::Go };
        if let TurnEvent::Delta { item_id, gap, .. } = &mut event {
            *gap |= self.unseen(item_id);
        }
        let settled = self.track(&event);
        self.emit(event).await;
        if settled {
            self.settled.notify_one();
        }
        Step::Go
    }

    fn track(&self, event: &TurnEvent) -> bool {
        let TurnEvent::Item { item_id, phase, .. } = event else { return false };
        let mut state = self.state();
        match phase {
            ItemPhase::Started => {
                state.open.insert(item_id.clone());
                if let Some(seen) = &mut state.seen {
                    seen.insert(item_id.clone());
                }
                false
            }
            ItemPhase::Completed => {
                state.open.remove(item_id);
                state.gaps.remove(item_id);
                state.ending.is_some() && state.open.is_empty()
            }
        }
    }

    /// Whether this is the first piece here of an item that began before the connection.
    fn unseen(&self, item: &str) -> bool {
        self.state().seen.as_mut().is_some_and(|seen| seen.insert(item.to_owned()))
    }

    /// Marks items as running that the replay found so.
    pub(super) fn reopen(&self, items: impl IntoIterator<Item = String>) {
        self.state().open.extend(items);
    }

    fn complete(&self, turn: &Value) -> Step {
        let mut state = self.state();
        let ending = ending(turn);
        // An interrupt can come while a command is being spawned.
        let calm = ending == Ending::Completed && state.open.is_empty();
        state.ending = Some(ending);
        if calm { Step::Over } else { Step::Settle }
    }

    /// Changes the end that is known, before it is told.
    pub(super) fn amend(&self, change: impl FnOnce(&mut Ending)) {
        if let Some(ending) = &mut self.state().ending {
            change(ending);
        }
    }

    /// Whether items are still open.
    pub(super) fn unsettled(&self) -> bool {
        !self.state().open.is_empty()
    }

    /// Ends the route: with the turn's end when it is known, else with [`TurnEvent::Lost`].
    pub(super) async fn finish(&self) {
        let ending = {
            let mut state = self.state();
            if std::mem::replace(&mut state.finished, true) {
                return;
            }
            state.ending.take()
        };
        self.sweep();
        self.emit(ending.map_or(TurnEvent::Lost, TurnEvent::Ended)).await;
        self.over.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::item;
    use super::*;
    use serde_json::json;
    use tokio::sync::mpsc;

    fn spec() -> ThreadSpec {
        ThreadSpec {
            worker: crate::ids::WorkerId::mint(&crate::clock::Clock::manual(0)),
            name: "w".to_owned(),
            cwd: "/w".into(),
            tmp: "/t".into(),
            sandbox: crate::backend::Sandbox::Worktree,
            model: None,
            effort: None,
            may_ask: false,
            instructions: String::new(),
        }
    }

    fn note(id: &str, kind: &str) -> Value {
        json!({ "turnId": "t2", "item": { "id": id, "type": kind } })
    }

    #[tokio::test]
    async fn late_events_of_an_earlier_turn_are_not_this_turns() {
        let (sink, mut events) = mpsc::channel(8);
        let route = Route::starting(sink, &spec());
        let late = json!({ "turnId": "t1", "item": { "id": "c", "type": "commandExecution" } });
        assert_eq!(route.take("item/completed", &late).await, Step::Go);
        route.take("turn/started", &json!({ "turn": { "id": "t2" } })).await;
        route.begin("t2").await;
        route.take("item/completed", &late).await;
        route
            .take("turn/completed", &json!({ "turn": { "id": "t2", "status": "completed" } }))
            .await;
        route.finish().await;
        assert!(
            matches!(events.recv().await, Some(TurnEvent::Began { backend_turn_id }) if backend_turn_id == "t2")
        );
        assert!(matches!(events.recv().await, Some(TurnEvent::Ended(Ending::Completed))));
    }

    #[tokio::test]
    async fn an_end_waits_for_the_items_that_are_still_open() {
        let (sink, mut events) = mpsc::channel(8);
        let route = Route::starting(sink, &spec());
        route.begin("t2").await;
        route.take("item/started", &note("c", "commandExecution")).await;
        let end = json!({ "turn": { "id": "t2", "status": "interrupted" } });
        assert_eq!(route.take("turn/completed", &end).await, Step::Settle);
        assert!(route.unsettled());
        route.take("item/completed", &note("c", "commandExecution")).await;
        route.settled.notified().await;
        route.finish().await;
        let mut kinds = Vec::new();
        events.close();
        while let Some(event) = events.recv().await {
            kinds.push(event);
        }
        assert!(matches!(kinds.last(), Some(TurnEvent::Ended(Ending::Interrupted))));
        assert_eq!(kinds.len(), 4);
    }

    #[tokio::test]
    async fn a_dropped_piece_is_told_with_the_next() {
        let (sink, mut events) = mpsc::channel(2);
        let route = Route::starting(sink, &spec());
        route.begin("t2").await;
        let piece = |n: u8| json!({ "turnId": "t2", "itemId": "m", "delta": n.to_string() });
        for n in [1, 2] {
            route.take("item/agentMessage/delta", &piece(n)).await;
        }
        events.recv().await;
        events.recv().await;
        for n in [3, 4] {
            route.take("item/agentMessage/delta", &piece(n)).await;
        }
        let mut seen = Vec::new();
        while let Ok(TurnEvent::Delta { text, gap, .. }) = events.try_recv() {
            seen.push((text, gap));
        }
        assert_eq!(seen, [("3".to_owned(), true), ("4".to_owned(), false)]);
    }

    #[tokio::test]
    async fn a_gap_that_the_reader_tells_is_passed_on() {
        let (sink, mut events) = mpsc::channel(2);
        let route = Route::starting(sink, &spec());
        route.begin("t2").await;
        events.recv().await;
        let word = json!({ "turnId": "t2", "itemId": "m", "delta": "", "gap": true });
        route.take("item/agentMessage/delta", &word).await;
        assert!(matches!(events.try_recv(), Ok(TurnEvent::Delta { gap: true, .. })));
    }

    #[tokio::test]
    async fn missed_events_come_before_held_ones() {
        let (sink, mut events) = mpsc::channel(8);
        let route = Route::attaching(sink, &spec(), "t2");
        route.take("item/completed", &note("b", "agentMessage")).await;
        let missed = item(&json!({ "id": "a", "type": "userMessage" }), ItemPhase::Completed);
        route.release(missed.into_iter().collect()).await;
        route.take("item/completed", &note("c", "agentMessage")).await;
        for wanted in ["a", "b", "c"] {
            let event = events.recv().await.unwrap();
            assert!(matches!(event, TurnEvent::Item { item_id, .. } if item_id == wanted));
        }
    }
}
