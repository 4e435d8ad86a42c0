//! Encrypted files (age): what goes out is for the bank's keys, what comes in is opened with the office's.

use std::path::Path;

use crate::failure::{Failure, Kind};

fn wrong_setting(message: String) -> Failure {
    Failure::new(Kind::Configuration, "ENCRYPTION", message).hint(
        "encrypt_to 写银行给的公钥，identity 写 fafang exchange keygen 生成的私钥文件；都在配置的 [[exchange]] 里",
    )
}

/// Refuses a text that is no key of a recipient (`age1…`).
///
/// # Errors
/// When it is none.
pub fn check_recipient(text: &str) -> Result<(), Failure> {
    sealing::check_recipient(text)
}

/// Encrypts a file for these recipients. No two times give the same bytes.
///
/// # Errors
/// When a recipient is none.
pub fn seal(recipients: &[String], plain: &[u8]) -> Result<Vec<u8>, Failure> {
    sealing::seal(recipients, plain)
}

/// Opens a file with the keys of an identity file. It may not become larger than any file may be.
///
/// # Errors
/// [`Kind::Configuration`] when there is no such key, [`Kind::Input`] when the file is not for it or was changed.
pub fn open(name: &str, identity: &Path, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
    sealing::open(name, identity, sealed)
}

/// A new key: the text of its identity file, and the recipient that others encrypt for.
///
/// # Errors
/// When the program was built without encryption.
pub fn new_identity() -> Result<(String, String), Failure> {
    sealing::new_identity()
}

#[cfg(feature = "age")]
mod sealing {
    use std::io::{Read, Write};
    use std::path::Path;

    use age::secrecy::ExposeSecret as _;
    use age::x25519;

    use super::super::folder;
    use super::wrong_setting;
    use crate::failure::{Failure, Kind};

    pub fn check_recipient(text: &str) -> Result<(), Failure> {
        recipient(text).map(|_| ())
    }

    fn recipient(text: &str) -> Result<x25519::Recipient, Failure> {
        let wrong =
            |e: &str| wrong_setting(format!("encrypt_to: “{text}”不是 age 公钥（{e}），应为 age1 开头的一串字母数字"));
        text.trim().parse().map_err(wrong)
    }

    pub fn seal(recipients: &[String], plain: &[u8]) -> Result<Vec<u8>, Failure> {
        let recipients = recipients.iter().map(|text| recipient(text)).collect::<Result<Vec<_>, _>>()?;
        let failed = |e: String| Failure::new(Kind::Internal, "ENCRYPTION", format!("加密没有成功: {e}"));
        let all = recipients.iter().map(|r| r as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(all).map_err(|e| failed(e.to_string()))?;
        let mut sealed = Vec::with_capacity(plain.len() + 1_024);
        let mut writer = encryptor.wrap_output(&mut sealed).map_err(|e| failed(e.to_string()))?;
        writer.write_all(plain).and_then(|()| writer.finish().map(|_| ())).map_err(|e| failed(e.to_string()))?;
        Ok(sealed)
    }

    pub fn open(name: &str, identity: &Path, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        let setting = |e: String| wrong_setting(format!("identity: {} 读不出密钥（{e}）", identity.display()));
        let text = folder::read(identity).map_err(|f| Failure { kind: Kind::Configuration, ..f })?;
        let keys = age::IdentityFile::from_buffer(text.as_slice()).map_err(|e| setting(e.to_string()))?;
        let keys = keys.into_identities().map_err(|e| setting(e.to_string()))?;
        let unreadable = |e: age::DecryptError| {
            let why = match e {
                age::DecryptError::NoMatchingKeys => "不是为本单位的密钥加密的".to_string(),
                age::DecryptError::InvalidHeader | age::DecryptError::UnknownFormat => {
                    "不是 age 加密的文件".to_string()
                }
                other => other.to_string(),
            };
            Failure::input("FILE_NOT_OPENED", format!("{name}: 解不开，{why}"))
                .hint("请银行用本单位现在的公钥重新加密；换过密钥的，在 identity 的文件里保留旧密钥")
        };
        let decryptor = age::Decryptor::new(sealed).map_err(unreadable)?;
        let keys = keys.iter().map(|key| key.as_ref() as &dyn age::Identity);
        let reader = decryptor.decrypt(keys).map_err(unreadable)?;
        let mut plain = Vec::new();
        reader.take(folder::LARGEST_FILE + 1).read_to_end(&mut plain).map_err(|e| {
            Failure::input("FILE_NOT_OPENED", format!("{name}: 解不开，内容残缺或被改动（{e}）"))
                .hint("请向银行重新取回")
        })?;
        if plain.len() as u64 > folder::LARGEST_FILE {
            return Err(Failure::input("FILE_TOO_LARGE", format!("{name}: 解开后超过 200 MB，没有读入"))
                .hint("银行的文件不会这么大；请向银行核实"));
        }
        Ok(plain)
    }

    #[expect(clippy::unnecessary_wraps, reason = "a program without encryption has none to give")]
    pub fn new_identity() -> Result<(String, String), Failure> {
        let identity = x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        Ok((format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret()), recipient))
    }
}

#[cfg(not(feature = "age"))]
mod sealing {
    use std::path::Path;

    use super::wrong_setting;
    use crate::failure::Failure;

    fn missing() -> Failure {
        wrong_setting("本程序编译时没有带加密".to_string())
    }

    pub fn check_recipient(_text: &str) -> Result<(), Failure> {
        Err(missing())
    }

    pub fn seal(_recipients: &[String], _plain: &[u8]) -> Result<Vec<u8>, Failure> {
        Err(missing())
    }

    pub fn open(_name: &str, _identity: &Path, _sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        Err(missing())
    }

    pub fn new_identity() -> Result<(String, String), Failure> {
        Err(missing())
    }
}

#[cfg(all(test, feature = "age"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let keys = |name: &str| {
            let (text, recipient) = new_identity().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            (path, recipient)
        };
        let ((ours, for_us), (theirs, _)) = (keys("ours"), keys("theirs"));
        let plain: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let sealed = seal(std::slice::from_ref(&for_us), &plain).unwrap();
        assert_ne!(sealed, seal(&[for_us], &plain).unwrap(), "never the same twice");
        assert_eq!(open("r.age", &ours, &sealed).unwrap(), plain);
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        let code = |result: Result<Vec<u8>, Failure>| result.map_err(|f| (f.kind, f.code)).unwrap_err();
        let not_opened = (Kind::Input, "FILE_NOT_OPENED");
        assert_eq!(code(open("r.age", &theirs, &sealed)), not_opened);
        assert_eq!(code(open("r.age", &ours, &changed)), not_opened);
        assert_eq!(code(open("r.age", &ours, &sealed[..sealed.len() - 9])), not_opened);
        assert_eq!(code(open("r.age", &ours, b"R|plain|\r\n")), not_opened);
        assert_eq!(code(open("r.age", &folder.path().join("none"), &sealed)).0, Kind::Configuration);
        assert_eq!(code(seal(&["age1nobody".into()], &plain)), (Kind::Configuration, "ENCRYPTION"));
    }
}
