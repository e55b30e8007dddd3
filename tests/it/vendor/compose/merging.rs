//! Applications of several files: merged, extended, included.

use super::{Case, one};

pub(crate) const MERGED: &[Case] = &[
    Case {
        given: &["compose.yaml", "override.yaml"],
        images: &["acme/a:2", "acme/b:1"],
        old: true,
        ..one(
            "override",
            &[
                (
                    "compose.yaml",
                    r#"
services:
  a:
    image: acme/a:1
    command: ["serve"]
    environment: {A: "1", B: "2"}
    labels: [x=1, y=2]
    volumes: ["data:/data", "/srv/old:/conf"]
    expose: ["3000"]
  b:
    image: acme/b:1
volumes:
  data:
"#,
                ),
                (
                    "override.yaml",
                    r#"
services:
  a:
    image: acme/a:2
    command: ["serve", "--verbose"]
    environment: [B=3, C=4]
    labels: {y: "3", z: "4"}
    volumes: ["/srv/new:/conf:ro"]
    expose: ["4000"]
    restart: always
"#,
                ),
            ],
        )
    },
    Case {
        given: &["compose.yaml", "override.yaml"],
        ..one(
            "merge_rules",
            &[
                (
                    "compose.yaml",
                    r#"
services:
  a:
    image: acme/a:1
    entrypoint: /bin/a
    healthcheck: {test: ["CMD", "a"], interval: 5s}
    depends_on: [b]
    networks: [one]
    logging: {driver: json-file, options: {max-size: 1m}}
    ulimits: {nofile: 10, nproc: {soft: 1, hard: 2}}
    extra_hosts: ["x=10.0.0.1"]
    dns: 10.0.0.1
    dns_search: a.example
    sysctls: {net.core.somaxconn: 1}
    tmpfs: /run
    cap_add: [CHOWN, KILL]
    profiles: []
    secrets: [s]
    configs: [c]
    devices: ["/dev/a:/dev/x"]
    deploy: {labels: {a: "1"}, placement: {constraints: [one]}, resources: {limits: {cpus: "1"}}}
    annotations: {a: "1"}
  b: {image: "acme/b:1"}
  c: {image: "acme/c:1"}
networks:
  one: {labels: {a: "1"}, ipam: {config: [{subnet: 10.1.0.0/16}]}}
  two:
volumes: {v: {labels: [a=1]}}
secrets: {s: {file: /s}}
configs: {c: {file: /c}}
"#,
                ),
                (
                    "override.yaml",
                    r#"
services:
  a:
    entrypoint: ["/bin/b", "-x"]
    healthcheck: {test: b, retries: 2}
    depends_on: {c: {condition: service_healthy}}
    networks: {two: {aliases: [t]}, one: {aliases: [o]}}
    logging: {driver: syslog, options: {tag: x}}
    ulimits: {nofile: {soft: 3, hard: 4}, nproc: 7}
    extra_hosts: ["x=10.0.0.1", "y=10.0.0.2"]
    dns: [10.0.0.2, 10.0.0.1]
    dns_search: [b.example]
    sysctls: [net.core.somaxconn=2, net.ipv4.tcp_syncookies=0]
    tmpfs: [/tmp, /run]
    cap_add: [KILL, MKNOD]
    secrets: [{source: s, target: s, mode: 0400}]
    configs: [{source: c, target: /c, mode: 0444}]
    devices: ["/dev/b:/dev/x", /dev/y]
    deploy: {labels: [b=2], placement: {constraints: [two]}, resources: {limits: {memory: 1g}}}
    annotations: [a=2, b=3]
  c: {healthcheck: {test: [NONE]}}
networks:
  one: {labels: [b=2], ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.1}, {subnet: 10.2.0.0/16}]}}
volumes: {v: {labels: {b: "2"}}}
"#,
                ),
            ],
        )
    },
    Case {
        given: &["compose.yaml", "logging.yaml"],
        ..one(
            "merge_of_logging_with_one_driver",
            &[
                (
                    "compose.yaml",
                    "services:\n  a:\n    image: acme/a:1\n    logging: {driver: json-file, options: {max-size: 1m}}\n",
                ),
                (
                    "logging.yaml",
                    "services:\n  a:\n    logging: {options: {max-file: '2'}}\n",
                ),
            ],
        )
    },
    Case {
        given: &["compose.yaml", "ports.yaml"],
        env: "PORT=8080\n",
        ..one(
            "merge_of_ports",
            &[
                (
                    "compose.yaml",
                    "services:\n  a:\n    image: acme/a:1\n    ports: ['${PORT}:80', '9000-9002:9000-9002', '5000/udp', '127.0.0.1:1:1']\n",
                ),
                (
                    "ports.yaml",
                    "services:\n  a:\n    ports: [{target: 80, published: '8080', mode: host}, '9001:9001', '8080:81', '0.0.0.0:1:1']\n",
                ),
            ],
        )
    },
    Case {
        given: &["compose.yaml", "reset.yaml"],
        ..one(
            "reset_and_override",
            &[
                (
                    "compose.yaml",
                    r#"
services:
  a:
    image: acme/a:1
    ports: ["80:80"]
    environment: {A: "1", B: "2"}
    depends_on: [b]
    command: x
    labels: {a: b}
    volumes: ["vol:/v"]
  b: {image: "acme/b:1"}
  gone: {image: "acme/gone:1"}
volumes: {vol: {}}
"#,
                ),
                (
                    "reset.yaml",
                    r#"
services:
  a:
    ports: !override ["81:81"]
    environment: {A: !reset null, C: "3"}
    depends_on: !reset []
    command: !reset null
    labels: !override
      c: d
  gone: !reset null
"#,
                ),
            ],
        )
    },
    Case {
        given: &["compose.yaml", "more.yaml", "last.yaml"],
        env: "KEY=A\nTARGET=/data\n",
        ..one(
            "three_files_with_variables_in_keys",
            &[
                (
                    "compose.yaml",
                    "services:\n  a:\n    image: acme/a:1\n    environment: ['A=1', 'P=$$x', 'Q=${KEY}']\n    volumes: ['one:/data']\nvolumes: {one: {}, two: {}}\n",
                ),
                (
                    "more.yaml",
                    "services:\n  a:\n    environment: ['${KEY}=2']\n    volumes: ['two:${TARGET}/']\n",
                ),
                (
                    "last.yaml",
                    "services:\n  a:\n    environment: {P: 'y$$z', R: '${KEY}', 'S$S': 'a$$b'}\n",
                ),
            ],
        )
    },
    Case {
        images: &["acme/app:1", "acme/base:1", "acme/app:1"],
        ..one(
            "extends",
            &[
                (
                    "compose.yaml",
                    r#"
services:
  base:
    image: acme/base:1
    environment: {A: "1"}
    ports: ["80:80"]
    deploy: {replicas: 2}
  app:
    extends: base
    image: acme/app:1
    environment: [A=2, B=3]
    deploy: !reset null
  worker:
    extends: {service: common, file: ./lib/common.yaml}
    image: acme/app:1
    command: work
"#,
                ),
                (
                    "lib/common.yaml",
                    r#"
services:
  root:
    restart: always
    labels: [r=1]
    depends_on: [base]
  common:
    extends: {service: root}
    labels: {c: "2"}
"#,
                ),
            ],
        )
    },
    Case {
        images: &["acme/base:1", "acme/app:1", "acme/log:1"],
        ..one(
            "extends_chain",
            &[
                (
                    "compose.yaml",
                    "services:\n  a:\n    extends: {file: one.yaml, service: a}\n  b:\n    extends: {file: one.yaml, service: b}\n    image: acme/app:1\n    tmpfs: /b\n  log:\n    image: acme/log:1\n",
                ),
                (
                    "one.yaml",
                    "services:\n  a:\n    extends: {file: two/two.yaml, service: deep}\n    tmpfs: /a\n  b:\n    extends: a\n    depends_on: {log: {condition: service_started}}\n",
                ),
                (
                    "two/two.yaml",
                    "services:\n  deep:\n    extends: {file: ../three.yaml, service: deepest}\n    cap_add: [SETUID]\n",
                ),
                (
                    "three.yaml",
                    "services:\n  deepest:\n    image: acme/base:1\n    cap_add: [SETGID]\n    tmpfs: [/d]\n",
                ),
            ],
        )
    },
    Case {
        env: "SHARED=main\n",
        images: &["acme/a:main", "acme/cache:1", "acme/db:own", "acme/cache:1"],
        ..one(
            "include",
            &[
                (
                    "compose.yaml",
                    r#"
include:
  - db/compose.yaml
  - path: [cache/compose.yaml, cache/override.yaml]
    project_directory: cache
    env_file: cache/cache.env
services:
  a:
    image: acme/a:${SHARED}
    depends_on: [db]
"#,
                ),
                (
                    "db/compose.yaml",
                    "services:\n  db:\n    image: acme/db:${TAG}\n    labels: {shared: '$SHARED', tag: '${TAG} $$', both: '${SHARED}-${TAG:-x}'}\n    volumes: ['data:/data']\nvolumes: {data: {}}\n",
                ),
                ("db/.env", "TAG=own\nSHARED=db\n"),
                (
                    "cache/compose.yaml",
                    "services:\n  cache:\n    image: acme/cache:$NUMBER\n  second:\n    extends: cache\n    command: b\nnetworks: {default: {name: n}}\n",
                ),
                (
                    "cache/override.yaml",
                    "services:\n  cache:\n    environment: {N: '${NUMBER:-0}'}\n",
                ),
                ("cache/cache.env", "NUMBER=1\n"),
            ],
        )
    },
    one(
        "include_that_is_overridden",
        &[
            (
                "compose.yaml",
                "include: [base.yaml]\nservices:\n  a:\n    environment: [B=2]\n    ports: !override ['81:81']\n    labels: {gone: !reset x, kept: y}\n  b:\n    extends: a\n    image: acme/b:1\n    ports: !reset []\n",
            ),
            (
                "base.yaml",
                "include: [deeper.yaml]\nservices:\n  a:\n    image: acme/a:1\n    environment: {A: '1', B: '1'}\n    ports: ['80:80']\n    labels: {gone: '1', other: '2'}\n",
            ),
            (
                "deeper.yaml",
                "services:\n  c: {image: 'acme/c:1'}\nvolumes: {unused: {}}\n",
            ),
        ],
    ),
];
