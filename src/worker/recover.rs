use super::begin::Entry;
use super::{WorkerError, Workers};
use crate::store::StoreError;

impl Workers {
    /// Takes up the turns that an earlier engine left active; to be called once, before
    /// [`Workers::run`]. Each is found again with the agent: it goes on, or its end is stored, or it
    /// is queued again once; otherwise it ends as `interrupted`. Returns how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<usize, WorkerError> {
        let left = self.store().active_turns().await?;
        let mut taken = 0;
        for turn in left {
            if turn.lease_holder.as_deref() == Some(self.room.engine.as_str()) {
                continue;
            }
            match self.store().adopt_turn(&turn.id, &self.room.engine).await {
                Ok(lease) => self.carry(turn, lease, Entry::Again),
                Err(StoreError::Conflict) => continue,
                Err(error) => return Err(error.into()),
            }
            taken += 1;
        }
        Ok(taken)
    }
}
