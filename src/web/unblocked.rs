use futures_util::{Stream, StreamExt, stream};
use rmcp::model::JsonRpcMessage;
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use std::pin::pin;
use tokio::sync::mpsc::{self, error::TrySendError};

/// Messages that wait for a slow reader.
const WAITING: usize = 64;

/// Passes a stream of a session on so that its reader cannot hold the session up: rmcp hands out the
/// messages of all streams of a session one after the other, and waits for each. Notifications that
/// find no room are dropped; answers and requests wait here. Call it inside a tokio runtime.
pub(super) fn unblocked(
    from: impl Stream<Item = ServerSseMessage> + Send + 'static,
) -> impl Stream<Item = ServerSseMessage> + Send + Sync + 'static {
    let (sender, mut receiver) = mpsc::channel(WAITING);
    tokio::spawn(pump(from, sender));
    stream::poll_fn(move |context| receiver.poll_recv(context))
}

async fn pump(
    from: impl Stream<Item = ServerSseMessage> + Send,
    sender: mpsc::Sender<ServerSseMessage>,
) {
    let mut from = pin!(from);
    loop {
        // The end of the reader is noticed at once: rmcp replaces a stream that nobody reads.
        let message = tokio::select! {
            message = from.next() => message,
            () = sender.closed() => return,
        };
        let Some(message) = message else { return };
        let open = match sender.try_send(message) {
            Ok(()) => true,
            Err(TrySendError::Full(message)) => {
                droppable(&message) || sender.send(message).await.is_ok()
            }
            Err(TrySendError::Closed(_)) => false,
        };
        if !open {
            return;
        }
    }
}

fn droppable(message: &ServerSseMessage) -> bool {
    matches!(message.message.as_deref(), Some(JsonRpcMessage::Notification(_)))
}
