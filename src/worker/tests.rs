//! The life of a turn with an agent that the test plays; the real one is in `tests/`.

mod holds;
mod manage;
mod recover;
mod turns;

use super::fake::{Stage, caller};
use super::*;
use crate::store::{WorkerMode, WorkerRow, WorkerState};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

impl Stage {
    fn request(&self, name: &str, mode: WorkerMode) -> StartRequest {
        StartRequest {
            repo: self.repo.clone(),
            name: name.to_owned(),
            brief: format!("brief of {name}"),
            mode,
            model: None,
            effort: None,
            auto_suffix: false,
            caller: caller(),
        }
    }

    async fn start(&self, name: &str) -> WorkerRow {
        let request = self.request(name, WorkerMode::IsolatedWrite);
        self.workers.start(request).await.unwrap().worker
    }

    async fn message(&self, worker: &WorkerRow, text: &str) -> Result<Delivered, WorkerError> {
        self.send(worker, text, None).await
    }

    async fn send(
        &self,
        worker: &WorkerRow,
        text: &str,
        delivery: Option<Delivery>,
    ) -> Result<Delivered, WorkerError> {
        let text = text.to_owned();
        let request =
            MessageRequest { text, delivery, model: None, effort: None, caller: caller() };
        self.workers.message(worker, request).await
    }

    async fn until(&self, worker: &WorkerRow, state: WorkerState) -> Look {
        let mut changed = self.store.watch();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let look = self.workers.look(worker).await.unwrap();
                if look.worker().state == state {
                    return look;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(LONG, waiting).await {
            Ok(look) => look,
            Err(_) => panic!("never {state:?}: {:?}", self.workers.look(worker).await.unwrap()),
        }
    }

    async fn states(&self, worker: &WorkerRow) -> Vec<String> {
        let log = self.workers.log(worker, 0, 1000).await.unwrap();
        log.into_iter().filter(|e| e.kind == "state").map(|e| e.phase).collect()
    }
}
