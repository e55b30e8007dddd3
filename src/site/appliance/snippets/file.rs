//! Files of a snippet, and the script that puts them in their places.

/// What a host is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// In the order in which they are put.
    pub files: Vec<SnippetFile>,
    /// What the engine does with them and what it does not do, a sentence each.
    pub notes: Vec<String>,
}

/// A file to put on the host of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnippetFile {
    /// Where it belongs.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// Whether a credential stands in it: then its owner alone reads it.
    pub is_secret: bool,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole(String),
    /// Entries of `mirrors` and `configs` in a `registries.yaml` that others may have filled: theirs stay. Lines without indentation.
    Registries {
        /// Entries of `mirrors`.
        mirrors: Vec<String>,
        /// Entries of `configs`.
        configs: Vec<String>,
    },
}

/// Marks where entries of this appliance stand among others.
const BEGIN: &str = "# airlock begin";
const END: &str = "# airlock end";

/// Puts entries into a `registries.yaml` by lines: those of an earlier run go, those of others stay as they are. It refuses (3) what is
/// written in one line, and (4) what names a host of ours itself.
const MERGE: &str = r##"
/^ *# airlock begin$/ { skip = 1 }
!skip { line[++n] = $0 }
/^ *# airlock end$/ { skip = 0 }
function put(name, indent,  text, any) {
  while ((getline text < (FILE "." name)) > 0) {
    if (!any++) print indent "# airlock begin"
    print indent text
  }
  close(FILE "." name)
  if (any) print indent "# airlock end"
}
function bare(text) { gsub(/^[ ]+|:[ ]*(#.*)?$|"|'/, "", text); return text }
function has(name,  text) { return (getline text < (FILE "." name)) > 0 && close(FILE "." name) == 0 }
END {
  for (k = 1; k <= 2; k++) {
    name = k == 1 ? "mirrors" : "configs"
    while ((getline text < (FILE "." name)) > 0) if (text ~ /^"/) ours[name, bare(text)] = 1
    close(FILE "." name)
  }
  for (i = 1; i <= n; i++) {
    if (line[i] ~ /^[^ #-]/) { top = line[i]; sub(/:.*$/, "", top) }
    else if (((top, bare(line[i])) in ours) && line[i] ~ /:[ ]*(#.*)?$/) { print line[i] > "/dev/stderr"; exit 4 }
  }
  for (i = 1; i <= n; i++) {
    print line[i]
    key = line[i]
    sub(/[ ]*(#.*)?$/, "", key)
    if (key == "mirrors:" || key == "configs:") {
      name = substr(key, 1, length(key) - 1)
      indent = "  "
      for (j = i + 1; j <= n; j++) if (line[j] !~ /^ *(#.*)?$/) {
        if (match(line[j], /^ +/)) indent = substr(line[j], 1, RLENGTH)
        break
      }
      put(name, indent)
      done[name] = 1
    } else if (key ~ /^(mirrors|configs):/) { print key > "/dev/stderr"; exit 3 }
  }
  for (k = 1; k <= 2; k++) {
    name = k == 1 ? "mirrors" : "configs"
    if (!done[name] && has(name)) { print name ":"; put(name, "  ") }
  }
}
"##;

impl SnippetFile {
    /// One that holds this and nothing else.
    pub(super) fn whole(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: Content::Whole(content.into()),
            is_secret: false,
        }
    }

    /// Returns what it holds where nothing stands there yet.
    pub fn text(&self) -> String {
        match &self.content {
            Content::Whole(text) => text.clone(),
            Content::Registries { mirrors, configs } => {
                let mut text = String::new();
                for (key, entries) in [("mirrors", mirrors), ("configs", configs)] {
                    if entries.is_empty() {
                        continue;
                    }
                    text += &format!("{key}:\n  {BEGIN}\n");
                    for line in entries {
                        text += &format!("  {line}\n");
                    }
                    text += &format!("  {END}\n");
                }
                text
            }
        }
    }

    /// Returns the lines of a shell script that put it in its place, and keep a file there that says something else. Paths and contents come
    /// from hosts, addresses and PEM, which have no quotes in their alphabets.
    pub fn script(&self) -> String {
        let path = &self.path;
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mask = if self.is_secret { "umask 077\n" } else { "" };
        let made = match &self.content {
            Content::Whole(text) => {
                format!("cat > '{path}.airlock-new' <<'AIRLOCK_FILE' || exit\n{text}AIRLOCK_FILE\n")
            }
            Content::Registries { mirrors, configs } => merge(path, mirrors, configs),
        };
        format!(
            "(\n{mask}mkdir -p '{folder}' || exit\n\
             {made}\
             if [ -e '{path}' ] && ! cmp -s '{path}.airlock-new' '{path}'; then\n  \
             kept='{path}'.before-$(date -u +%Y%m%dT%H%M%SZ)-$$\n  \
             cp -p '{path}' \"$kept\" || exit\n  \
             echo \"{path} said something else: that is kept as $kept\" >&2\n\
             fi\n\
             mv -f '{path}.airlock-new' '{path}' || exit\n) || exit\n"
        )
    }
}

fn merge(path: &str, mirrors: &[String], configs: &[String]) -> String {
    let mut script = String::new();
    for (name, entries) in [("mirrors", mirrors), ("configs", configs)] {
        script += &format!("cat > '{path}.{name}' <<'AIRLOCK_FILE' || exit\n");
        for line in entries {
            script += line;
            script.push('\n');
        }
        script += "AIRLOCK_FILE\n";
    }
    script
        + &format!(
            "if [ -e '{path}' ]; then cat '{path}'; fi | awk -v FILE='{path}' '{program}' > '{path}.airlock-new'\n\
             merged=$?\n\
             rm -f '{path}.mirrors' '{path}.configs'\n\
             case $merged in\n\
             0) ;;\n\
             3) echo '{path} has mirrors or configs in one line: write them as a block, an entry a line, and run this again; nothing was changed' >&2 ;;\n\
             4) echo '{path} has that host itself: take its entry out there, or leave the host out here with --host, and run this again; nothing was changed' >&2 ;;\n\
             *) echo '{path} cannot be read or written; nothing was changed' >&2 ;;\n\
             esac\n\
             if [ $merged -ne 0 ]; then rm -f '{path}.airlock-new'; exit 1; fi\n",
            program = MERGE.replace('\'', "'\\''"),
        )
}
