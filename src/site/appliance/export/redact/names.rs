//! Names behind which a secret stands, with what stands between the two. Each pattern looks a bounded way ahead, so that a text of nothing
//! but names takes linear time.

/// What secrets are called, with what may hang on it: `API_KEY_PROD`, `secret2`. Prose hangs words on with hyphens, so only some count there.
const NAME: &str = concat!(
    r"(?:(?:passw(?:or)?d|passwort|kennwort|passphrase|pwd|secret|token|credentials?",
    r"|(?:api|access|account|auth|encryption|master|private|shared|signing)[ _-]?key)",
    r"(?:[_-]?(?:key|base|value|text|[0-9])|__?[a-z0-9]{1,24}){0,4}",
    r"|(?:\b|_|(?-i:[a-z]P)|(?-i:\bP))(?-i:ass|ASS|pass|PASS)(?:_[a-z0-9]{1,24}){0,4})",
);

/// A quotation mark behind a name, which is escaped where JSON stands in a text, and a bracket: `user[password]`.
const END: &str = r#"(?:\\{0,4}["'])?\]?"#;

/// An assignment, also escaped as in URLs, JSON and HTML.
const ASSIGNED: &str =
    r"[ \t]{0,16}(?:=>|:=|={1,3}|:|%3[ad]|\\{1,4}u003[ad]|\\{1,4}x3[ad]|&#(?:58|61);|[＝：])[ \t]{0,16}";

/// What stands before a value in YAML: a line of its own, a tag. A list may begin there too.
const BEFORE: &str = r"(?:\r?\n[ \t]{1,32})?(?:!{1,2}[a-z0-9_/.:-]{0,32}[ \t]{1,16})?(?:\[[ \t]{0,16})?";

/// The names of secrets up to where the value begins; a match that ends with a quotation mark ends behind the first one of the value, and
/// one that ends with `>` (not `=>`) or `CDATA[` stands before the text of an element.
pub(super) fn of_secrets() -> String {
    [
        "(?i)(?:".to_owned(),
        // An option and its value: of a command line, of one as JSON, of one as a list in YAML.
        format!(r#"\B--?[a-z_-]{{0,32}}{NAME}(?:{END}[ \t]{{1,16}}|\\{{0,4}}["'],\s{{0,32}}|["']?\r?\n[ \t]{{0,32}}-[ \t]{{1,16}})"#),
        // Elements of XML: by their own name, by an attribute, by the element before.
        format!(r"|<[a-z0-9_.:-]{{0,32}}{NAME}(?:\s[^<>]{{0,64}})?>(?:<!\[CDATA\[)?"),
        format!(r#"|{NAME}(?:\\{{0,4}}["'][ \t]{{0,16}}>|</[a-z]{{1,16}}>\s{{0,32}}<[a-z]{{1,16}}>)(?:<!\[CDATA\[)?"#),
        // A pair of name and value, as of containers' environments.
        format!(r#"|{NAME}(?:\\{{0,4}}["'])?\s{{0,32}},?\s{{0,32}}\\{{0,4}}["']?\bvalue{END}{ASSIGNED}{BEFORE}"#),
        format!("|{NAME}{END}{ASSIGNED}{BEFORE}"),
        // SQL.
        r#"|(?:passw(?:or)?d(?:[ \t]{1,16}for[^\n=]{1,64}=)?|identified[^'"\n]{0,64} (?:by|as))[ \t]{0,16}\(?[ \t]{0,16}\b[en]?\\{0,4}['"]"#
            .replace(r"\b[en]?", "(?:[ \t(=][en])?"),
        // Files of container registries and of package managers.
        format!(r#"|(?:["']|\b)_auth{END}{ASSIGNED}|["']auth\\{{0,4}}["'][ \t]{{0,16}}:[ \t]{{0,16}}"#),
        ")".to_owned(),
    ]
    .concat()
}

/// The header that logs in, up to its value.
pub(super) const AUTHORIZATION: &str =
    r#"(?i)authorization(?:\\{0,4}["'])?\]?[ \t]{0,16}(?:=>|:=|=|:|%3a)[ \t]{0,16}(?:\[[ \t]{0,16})?"#;

/// An option whose value is a user and a password; the value is the group, as far as its colon. A URL is none.
pub(super) const LOGIN: &str = r#"\B(?:-u|--user|--proxy-user)(?:[ \t]{1,16}|=|\\{0,4}["'],\s{0,32})?(\\{0,4}["']?[^\s:"'\\=-][^\s:"']{0,64}:(?:[^\s/]|/[^\s/]))"#;
