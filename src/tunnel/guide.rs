/// What the user does with the public address, in ChatGPT's own words. `address` is shown as it is.
#[must_use]
pub fn guide(address: &str, revealed: bool) -> String {
    let whole = if revealed {
        "Whoever has this address can use your workers: treat it as a password."
    } else {
        "The secret part is in the token file; --reveal-token shows the whole address."
    };
    format!(
        "The tunnel is up. Server URL for ChatGPT:\n  {address}\n{whole}\n\
         In ChatGPT, once:\n  \
         1. Settings → Apps & Connectors → Advanced settings: turn Developer mode on.\n  \
         2. Settings → Apps & Connectors → Create: any name, the Server URL as MCP Server URL,\n     \
         authentication \"No authentication\", then Create.\n  \
         3. In a chat: + → More → Developer mode → the connector. Say: call codex_self_test.\n\
         A new start has a new address: change it in the connector. After an upgrade of patchbay press\n\
         Refresh in the connector's settings, because ChatGPT keeps its list of tools."
    )
}
