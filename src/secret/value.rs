use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use subtle::ConstantTimeEq;

/// Why a text cannot serve as a secret.
#[derive(Debug, thiserror::Error)]
pub enum BadSecret {
    /// Fewer than 32 characters, or something other than ASCII letters, digits, `-` and `_`.
    #[error("a token has at least 32 characters, all of them letters, digits, - or _")]
    Weak,
    /// The kernel gave no random bytes.
    #[error("no random bytes: {0}")]
    NoRandomness(#[from] rustix::io::Errno),
}

/// A token. It can be compared, exposed on purpose, and redacted; it cannot be printed by accident.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Makes a token of 256 random bits as 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn generate() -> Result<Self, BadSecret> {
        Ok(Self(SecretString::from(hex::encode(Self::random_bytes()?))))
    }

    /// 32 random bytes from the kernel, for keys and salts.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub fn random_bytes() -> Result<[u8; 32], BadSecret> {
        let mut bytes = [0_u8; 32];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(
                &mut bytes[filled..],
                rustix::rand::GetRandomFlags::empty(),
            )?;
        }
        Ok(bytes)
    }

    /// Takes a token that was made elsewhere.
    ///
    /// # Errors
    /// [`BadSecret::Weak`] unless it has at least 32 characters of `[A-Za-z0-9_-]`.
    pub fn from_text(text: &str) -> Result<Self, BadSecret> {
        let fits = text.len() >= 32
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fits { Ok(Self(SecretString::from(text.to_owned()))) } else { Err(BadSecret::Weak) }
    }

    /// Whether `text` is this secret, compared in constant time for texts of equal length.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The text itself. Call this only to write the token file, to compute a MAC, or where the user
    /// asked to see it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Replaces each occurrence of the secret in `text` by `[redacted]`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        text.replace(self.0.expose_secret(), "[redacted]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_hides_compares_and_redacts() {
        let secret = Secret::generate().unwrap();
        let text = secret.expose().to_owned();
        assert!(secret.matches(&text));
        assert!(!secret.matches(&text[1..]));
        assert!(!format!("{secret:?}").contains(&text));
        assert_eq!(secret.redact(&format!("/mcp/{text}")), "/mcp/[redacted]");
        assert!(Secret::from_text("short").is_err());
    }
}
