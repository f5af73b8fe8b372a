//! The sign that the server stops, for answers that have no end of their own.

use tokio::sync::watch;

/// Tells answers that have no end of their own that the server stops.
#[derive(Clone, Debug)]
pub struct Closing(watch::Receiver<()>);

impl Default for Closing {
    /// Of a server that has stopped.
    fn default() -> Self {
        Self::new().1
    }
}

impl Closing {
    /// The sign, and the sender whose end gives it.
    pub(crate) fn new() -> (watch::Sender<()>, Self) {
        let (open, closing) = watch::channel(());
        (open, Self(closing))
    }

    /// Resolves when the server stops.
    pub async fn closed(&mut self) {
        // Nothing is ever sent: the change is that the sender goes.
        let _ = self.0.changed().await;
    }
}
