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

/// Puts entries into a `registries.yaml` by lines: those of an earlier run go, those of others stay as they are. What is written in another
/// form than blocks, an entry a line, is refused whole (3) rather than spoilt; so is (4) what names a host of ours itself.
const MERGE: &str = r##"
function bad(text) { if (odd == "") odd = text }
/^ *# airlock begin$/ { if (skip) bad($0); skip = 1; open = $0; next }
/^ *# airlock end$/ { if (!skip) bad($0); skip = 0; next }
!skip { line[++n] = $0 }
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
function look(text,  key, depth) {
  if (text ~ /^ *(#.*)?$/) return
  if (text ~ /[\t\r]/) { bad(text); return }
  if (text !~ /^ /) {
    if (text ~ /^--- *(#.*)?$/ && !began) { began = 1; return }
    began = 1
    if (text !~ /^[A-Za-z_][A-Za-z0-9_-]*:( .*)?$/) { bad(text); return }
    top = text
    sub(/:.*$/, "", top)
    level = 0
    if (seen[top]++) bad(text)
    if ((top == "mirrors" || top == "configs") && text !~ /^[a-z]+: *(#.*)?$/) bad(text)
    return
  }
  if (top == "") { bad(text); return }
  if (top != "mirrors" && top != "configs") return
  match(text, /^ +/)
  depth = RLENGTH
  if (!level) level = depth
  if (depth > level) return
  key = substr(text, depth + 1)
  if (depth < level) bad(text)
  else if (key ~ /^"[^"\\]*" *:( .*)?$/) { key = substr(key, 2); sub(/".*$/, "", key) }
  else if (key ~ /^'[^']*' *:( .*)?$/) { key = substr(key, 2); sub(/'.*$/, "", key) }
  else if (key ~ /^[A-Za-z0-9.*_\/-]+(:[0-9]+)? *:( .*)?$/) sub(/ *:( .*)?$/, "", key)
  else bad(text)
  if ((top, key) in ours) taken = text
}
END {
  if (skip) bad(open)
  for (k = 1; k <= 2; k++) {
    name = k == 1 ? "mirrors" : "configs"
    while ((getline text < (FILE "." name)) > 0) if (text ~ /^"/) ours[name, bare(text)] = 1
    close(FILE "." name)
  }
  for (i = 1; i <= n; i++) look(line[i])
  if (odd != "") { print odd > "/dev/stderr"; exit 3 }
  if (taken != "") { print taken > "/dev/stderr"; exit 4 }
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
    }
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
        // A file that is there keeps its mode and owner, but where a credential comes into it.
        let own = if self.is_secret {
            format!("chmod go-rwx '{path}.airlock-new' || exit\n")
        } else {
            String::new()
        };
        let made = match &self.content {
            Content::Whole(text) => {
                format!("cat > '{path}.airlock-new' <<'AIRLOCK_FILE' || exit\n{text}AIRLOCK_FILE\n")
            }
            Content::Registries { mirrors, configs } => merge(path, mirrors, configs),
        };
        format!(
            "(\n{mask}mkdir -p '{folder}' || exit\n\
             if [ -e '{path}' ]; then cp -p '{path}' '{path}.airlock-new' || exit; fi\n\
             {made}\
             {own}\
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
             3) echo '{path} has the line above, which is not merged: write mirrors and configs as blocks, not in one line, with an entry a line and plain keys, and run this again; nothing was changed' >&2 ;;\n\
             4) echo '{path} has that host itself: take its entry out there, or leave the host out here with --host, and run this again; nothing was changed' >&2 ;;\n\
             *) echo '{path} cannot be read or written; nothing was changed' >&2 ;;\n\
             esac\n\
             if [ $merged -ne 0 ]; then rm -f '{path}.airlock-new'; exit 1; fi\n",
            program = MERGE.replace('\'', "'\\''"),
        )
}
