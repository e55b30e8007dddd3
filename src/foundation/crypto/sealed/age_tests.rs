//! Against the tool `age`, against its own other half, and against every changed bit.

use std::process::{Command, Stdio};

use super::*;

/// The identity of the specification's example, and how `age` writes it and its recipient.
const SECRET: [u8; 32] = [0x42; 32];
const IDENTITY: &str = concat!(
    "AGE-SECRET-",
    "KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
);
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

/// A text of 1,024 bytes, encrypted by `age` 1.1.1 to this recipient.
const BY_AGE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBLNmRPSnNIUmgvdHBZMEZob3dNSmQxc0Q2cG1ORFM0TVlBNnd5OFNrRlFNCmFMZ0dSMk\
    JLeFlwdmd1ZUFMYlg1NVh3c0dmREVrM1o3UkpxeDk5RGhyM1UKLS0tIFZlN2NZSWN3b1I0S3NkZXlzd0F6OUs3WE5DU0tSU3pab3N5OTNHdCtR\
    cEEKSXCBMUEPJ7garrnAp3SG6gL7VLn5TtFKOB3JWB1Nq1N3nsddrLnP9vhaCcy+s/VbqSK2OKoFs5jME2m5qHy8Zw4+jCoQhH9Qgu2iSnTwl0\
    kXcBx2s/SosBZ9Atb0iAGGi9UZ2yuxc7kefL9T56tXUHwa2xLwxDSsB3hwN+K4ZVNc59SZ3GiI73hPc9Abp2fty/nOkaUxIIAEQAeKULYumLD8\
    6jsDDmqC1QOaWgJZ1iGNOa1EzKsXCXAzanOaEpeUBNDul902Ld6t2zpAGcGUALzQwF3Kc9iE72os8rH29jrL9vrkjv1dsVDcH/4CWH18K03ChN\
    bceUWs6nw1Y7KH+QUo35kY+wAQTJFRisxzt90bp2590isd2Y1V5oi/c7m0I9Cu39y0w2iDxAuh3agV7LF0pGO52EeYdahMOnHO3sbcJBLJ5PkF\
    wz31yHjdzopT/q61zbFwjS5Pe2ZZ7NFZWIQeBDmzUfZTyHTELFfBt4ANc/jXzZVx+aIbDlYWr7XU6nAc/ERclS3oAvy1iCNfYAekFuQkjH1dwH\
    I0oc6kBchSRlnXFVIuIJ3uUBhCo0vklHXvFCBymM3kcrvF/q21tO+wZ8lwUsQu2q1CrxEemtqWWNkJacAPCzgOuDNCfwHQ4/W8EZBZ/kYDJqw/\
    4ESEqp253UZE/5doKmS5JwSMi+QAqH7gG+mr/6t+uIs1msnlZ0YU7Gk+yL7QCKKP8kkbh4asAtgO1skko96Qfk0+CNervIU6+DqwU+A1qd0Jyg\
    xJTnpQ61SUCfnPv9VAxIZs9cH277HyurH3vKq9mmpHDOuHQwMN70Ue3PrxIttXuUi8OhDc2iy6sAKijD492AAl0f6QPRIEmBAv42xMuaFe1Pyw\
    zg8B+RkHQBWtNWkEFX6V2HeHvJL37h0IkkAKS6b70zJS5QVB8ad21sOaSf70du6mMHBB4Rj5XU6e9kRL5MdPnRlG7ILySMuUqs+RHlwJe/acf5\
    ww19yD5lVaC6RxEF5LnchcAYI0dXOpF/MZKD1DOYBzIOCIpRqvGZnzPl7HfG2lGE9N/UBCtS4VGYeSpRY3oq5/qOBjhL7koBMNHglhMXD7Tnyl\
    IJWlzM9NSe9xB/egkYHxyutXGd9VD7rBlrHrFOmOMwxIEuzDhH3uD9ool7SwTcMv2fQnrU9MegjayNVxZSBln3DQTkfyOTH4NBUBNvYwR54NW0\
    H5FQvmjgoibpq7QlSE1xpGwAdmWI9It4Nduzmej12ELk2IFBk1tBTzMt5sYsic6ZJLTPCW23Va6J+9XCmqMkgY9tYI/EhA1wWROR1NAtW2bdDc\
    V5xF7PBf+CaE8tjqHqRiH9hYbl3IYgwaYrzW+9DHnqaVwSwOvjBCLLvaBSZ7RKXT8+aVssGVE6v+rDqW9/49kFPlZ0X8";

fn sealed(plain: &[u8]) -> Vec<u8> {
    seal(&RecipientKey::of_secret(&SECRET), plain).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a file of a test need not last")]
fn put(path: &std::path::Path, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
    std::fs::write(path, bytes)
}

#[test]
fn what_age_encrypted_opens_here() {
    let file = base64::engine::general_purpose::STANDARD.decode(BY_AGE).unwrap();
    let plain = open(&SECRET, &file).unwrap().unwrap();
    assert_eq!(plain.trim_ascii_end(), b"Made by the age tool.");
    assert_eq!(plain.len(), 1024);
}

/// With the tool itself where it is installed: one chunk, a full one, and more.
#[test]
fn what_is_encrypted_here_opens_with_age_and_the_other_way_round() {
    if Command::new("age")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        println!("without age: not tried");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (key, file) = (folder.path().join("key"), folder.path().join("file"));
    put(&key, IDENTITY).unwrap();
    for length in [1024, CHUNK_BYTES, CHUNK_BYTES + 1024, 3 * CHUNK_BYTES] {
        let plain: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        put(&file, sealed(&plain)).unwrap();
        let opened = Command::new("age")
            .arg("-d")
            .arg("-i")
            .arg(&key)
            .arg(&file)
            .output()
            .unwrap();
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        assert!(opened.stdout == plain, "{length}");

        put(&file, &plain).unwrap();
        let made = Command::new("age").args(["-r", RECIPIENT]).arg(&file).output().unwrap();
        assert!(
            open(&SECRET, &made.stdout).unwrap().unwrap().as_slice() == plain,
            "{length}"
        );
    }
}

#[test]
fn another_key_opens_nothing_and_no_bit_may_change() {
    let plain = [b'x'; 1024];
    let file = sealed(&plain);
    assert_eq!(open(&SECRET, &file).unwrap().unwrap().as_slice(), plain);
    assert!(open(&[0x43; 32], &file).unwrap().is_none());
    assert_ne!(file, sealed(&plain), "each with a key of its own");
    for place in 0..file.len() {
        let mut bad = file.clone();
        bad[place] ^= 1;
        assert!(open(&SECRET, &bad).ok().flatten().is_none(), "byte {place}");
    }
    let mut long = sealed(&vec![7; CHUNK_BYTES + 1024]);
    assert!(check(&long).is_ok());
    // A whole chunk less is a good form, and not what was sealed.
    long.truncate(long.len() - 1024 - TAG_BYTES);
    assert!(check(&long).is_ok());
    assert_eq!(open(&SECRET, &long).err(), Some("has content that was changed"));
}

#[test]
fn keys_of_small_order_are_never_used() {
    let error = seal(&RecipientKey::x25519([0; 32]), &[0; 1024]).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Trust, "weak-key"));
    let mut file = sealed(&[0; 1024]);
    let begin = file.windows(7).position(|part| part == b"X25519 ").unwrap() + 7;
    file[begin..begin + 43].fill(b'A');
    assert_eq!(open(&SECRET, &file).err(), Some("has an X25519 share of small order"));
}
