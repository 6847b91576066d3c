//! Files that handlers name: where they may lie, and how they are sent.

use std::path::Path;

use http::{HeaderMap, Response};
use slimhttp_site::refusal::Refusal;

use super::Exchange;
use crate::body::Body;
use crate::files;
use crate::jail;
use crate::respond::Refused;

impl Exchange<'_> {
    /// A file that a handler named; it must be below the scope's `web_root`.
    pub(super) async fn send_named(
        &self,
        file: &Path,
        fields: HeaderMap,
    ) -> Result<Response<Body>, Refused> {
        let below = self.below();
        let path = below.as_ref().and_then(|below| jail::below(below.root(), file));
        let (Some(below), Some(path)) = (below, path) else {
            tracing::error!(
                "a handler named {}, which is not below the `web_root` of its scope",
                file.display()
            );
            return Err(Refused::because(
                Refusal::Internal,
                format!("{} is not below `web_root`", file.display()),
            ));
        };
        if self.scope.options.reload_browser {
            let named = below.root().join(path.as_path());
            self.connection.shared.reload.note(self.scope.name.as_ref(), [named]);
        }
        files::send_named(&below, &path, self.file_asked(), fields).await
    }
}
