use std::io::Read;
use std::path::Path;

/// A larger config.toml is a mistake.
const MOST: u64 = 1 << 20;

/// The user's config.toml: an empty table when there is none.
///
/// # Errors
/// Why it cannot be used, in words that show nothing of its content.
pub(super) fn config(file: &Path) -> Result<toml::Table, String> {
    // What is no plain file (a pipe, a device) could hold up the start for good.
    match std::fs::metadata(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(toml::Table::new()),
        Err(error) => return Err(format!("it cannot be read: {error}")),
        Ok(meta) if !meta.is_file() => return Err("it is no plain file".to_owned()),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 > MOST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            1 + text.as_bytes()[..span.start.min(text.len())]
                .iter()
                .filter(|b| **b == b'\n')
                .count()
        });
        format!("it is no TOML (line {line})")
    })
}

/// Whether the user's codex keeps its login in the system's keyring.
pub(in crate::codex) fn logs_in_by_keyring(user: &Path) -> bool {
    let table = config(&user.join("config.toml")).unwrap_or_default();
    let store = table.get("cli_auth_credentials_store").and_then(toml::Value::as_str);
    matches!(store, Some("keyring" | "auto"))
}
