//! Applications whose services read environment and label files: `config` shows the same before and after.

use super::{Case, one};

pub(crate) const WITH_FILES: &[Case] = &[
    Case {
        env: "OUT=out\nSHARED=out\n",
        ..one(
            "env_files",
            &[
                (
                    "compose.yaml",
                    r#"
services:
  a:
    image: acme/a:1
    env_file:
      - a.env
      - {path: sub/b.env, required: true}
      - {path: none.env, required: false}
      - {path: raw.env, format: raw}
    environment: {OWN: own, FROM_OWN: "${OUT}", UNSET: , NUMBER: 5}
  b:
    image: acme/b:1
    env_file: a.env
    environment: [OWN=list, OUT]
  c:
    image: acme/c:1
    env_file: [sub/b.env]
"#,
                ),
                (
                    "a.env",
                    "# first\nA=a\nOWN=file\nSEES=$OUT/${OWN}/${A}/${NONE:-none}\nQUOTED=\"two\\nlines $$5\"\nSINGLE='$x'\nUNSET=file\nSHARED=file\nOUT\n",
                ),
                ("sub/b.env", "A=b\nB=$A-$SHARED\nexport C=c # note\n"),
                ("raw.env", "RAW=\"$A\" # all of it\nB=raw\n"),
            ],
        )
    },
    Case {
        env: "MAIN=m\n",
        ..one(
            "env_files_of_others",
            &[
                (
                    "compose.yaml",
                    r#"
include:
  - {path: inc/inc.yaml, env_file: inc/inc.env}
services:
  a:
    extends: {file: base/base.yaml, service: base}
    image: acme/a:1
    env_file: own.env
"#,
                ),
                ("own.env", "OWN=own\nBASE=over\n"),
                (
                    "base/base.yaml",
                    "services: {base: {image: acme/base:1, env_file: base.env}}\n",
                ),
                ("base/base.env", "BASE=base\nMORE=$MAIN\n"),
                (
                    "inc/inc.yaml",
                    "services:\n  b: {image: acme/b:1, environment: [SUB, MAIN, 'OTHER=${SUB}', NEITHER], env_file: b.env}\n  c: {image: acme/c:1, environment: {SUB: , MAIN: , NEITHER: }}\n",
                ),
                ("inc/inc.env", "SUB=from $sub\nMAIN=inc\n"),
                ("inc/b.env", "B=b\n"),
            ],
        )
    },
    Case {
        env: "MAIN=m\n",
        ..one(
            "env_of_others_merged",
            &[
                (
                    "compose.yaml",
                    r#"
include:
  - {path: [inc/a.yaml, inc/b.yaml], env_file: inc/inc.env}
  - sub/c.yaml
services:
  e: {image: acme/e:1}
"#,
                ),
                (
                    "inc/a.yaml",
                    r#"
services:
  base: {image: acme/a:1, environment: {SUB: , MAIN: , NEITHER: }}
  extending: {extends: base, environment: {O: "1"}}
  other: {extends: {file: d.yaml, service: base}, environment: {SUB: }}
  alone: {extends: base}
  over: {image: acme/a:1, environment: {SUB: , Q: q}}
  listed: {image: acme/a:1, environment: [SUB]}
  named: {image: acme/a:1, env_file: k.env, environment: {SUB: , K: }}
"#,
                ),
                (
                    "inc/b.yaml",
                    "services:\n  over: {environment: [O=2]}\n  listed: {environment: {SUB: , O: }}\n  named: {environment: {X: y}, profiles: []}\n",
                ),
                (
                    "inc/d.yaml",
                    "services: {base: {image: acme/d:1, environment: [O=1]}}\n",
                ),
                ("inc/inc.env", "SUB=from $$sub\nO=o\nMAIN=inc\n"),
                ("inc/k.env", "K=k\nSUB=k\n"),
                (
                    "sub/c.yaml",
                    "services:\n  f: {image: acme/f:1, environment: [SUB]}\n  g: {extends: f, environment: {DOT: , O: }}\n",
                ),
                ("sub/.env", "DOT=dot\nSUB=dot\n"),
            ],
        )
    },
    one(
        "label_files",
        &[
            (
                "compose.yaml",
                "services:\n  a: {image: acme/a:1, label_file: [a.labels, b.labels], labels: {a.own: own}}\n  b: {image: acme/b:1, label_file: a.labels}\n",
            ),
            ("a.labels", "a.one=1\na.own=file\na.two=2\n"),
            ("b.labels", "a.one=$$b\n"),
        ],
    ),
    one(
        "built_and_pulled",
        &[(
            "compose.yaml",
            "services:\n  a: {image: acme/a:1, build: ./a, pull_policy: build}\n  b: {image: acme/b:1, pull_policy: every_12h}\n  c: {image: acme/c:1, pull_policy: never}\n",
        )],
    ),
];
