//! Applications of one file, and stacks.

use super::{Case, one};

/// Every application to compare: those of one file, and those that are merged.
pub(crate) static CASES: std::sync::LazyLock<Vec<&'static Case>> = std::sync::LazyLock::new(|| {
    SINGLE
        .iter()
        .chain(super::merging::MERGED)
        .chain(super::files::WITH_FILES)
        .collect()
});

const SINGLE: &[Case] = &[
    Case {
        images: &["nginx:1.27"],
        old: true,
        ..one(
            "smallest",
            &[("compose.yaml", "services:\n  web:\n    image: nginx:1.27\n")],
        )
    },
    Case {
        images: &[
            "registry.example.com:5000/team/app:1.0",
            "docker.io/library/postgres:16",
        ],
        old: true,
        ..one(
            "web_and_database",
            &[(
                "compose.yaml",
                r#"
version: "3.8"
services:
  app:
    image: registry.example.com:5000/team/app:1.0
    command: ["serve", "--port", "8080"]
    ports:
      - "8080:8080"
      - 127.0.0.1:9090:9090/udp
    environment:
      DATABASE_URL: postgres://db:5432/app
      WORKERS: 4
      RATIO: 1.50
      DEBUG: "true"
      EMPTY:
    depends_on: [db]
    networks: [front, back]
    restart: unless-stopped
  db:
    image: docker.io/library/postgres:16
    environment:
      - POSTGRES_USER=app
      - POSTGRES_HOST_AUTH_METHOD=trust
    volumes:
      - data:/var/lib/postgresql/data
      - /etc/localtime:/etc/localtime:ro
    networks: [back]
    stop_grace_period: 1m30s
volumes:
  data:
networks:
  front: {}
  back:
    internal: true
"#,
            )],
        )
    },
    Case {
        env: "TAG=2.1\nREGISTRY=ghcr.io/acme\nPORT=8081\nEMPTY=\n",
        images: &["ghcr.io/acme/a:2.1", "ghcr.io/acme/b:latest", "quay.io/acme/c:2.1-x"],
        old: true,
        ..one(
            "variables",
            &[(
                "compose.yaml",
                r#"
services:
  a:
    image: ${REGISTRY}/a:$TAG
    ports: ["${PORT:-80}:80"]
    environment:
      PRICE: 5$$
      LITERAL: $${TAG}
      GREETING: "hello ${NAME:-you}, ${EMPTY:-nothing} / ${EMPTY-kept}"
      MUST: ${TAG:?is needed}
  b:
    image: "${REGISTRY}/b:${B_TAG:-latest}"
    container_name: app-${TAG}
  c:
    image: ${OTHER:-quay.io/acme}/c:${TAG}-x
    hostname: "c"
"#,
            )],
        )
    },
    Case {
        env: "A=a\n",
        ..one(
            "nested_variables",
            &[(
                "compose.yaml",
                r#"
services:
  a:
    image: ${X:-${Y:-acme/app}}:${Z-${A}}
    labels:
      set: ${A:+yes}
      unset: "[${B:+no}]"
      json: '${CONFIG:-{"a": {"b": 1}}}'
      plus: ${A+${B-b}}
    deploy:
      replicas: ${REPLICAS:-2}
    read_only: ${RO:-true}
    mem_limit: ${MEM:-64m}
"#,
            )],
        )
    },
    Case {
        old: true,
        ..one(
            "anchors",
            &[(
                "compose.yaml",
                r#"
x-common: &common
  restart: always
  logging: &logging
    driver: json-file
    options: {max-size: 10m, max-file: "3"}
x-env: &env
  TZ: UTC
  LEVEL: info
services:
  a:
    <<: *common
    image: acme/a:1
    environment:
      <<: *env
      LEVEL: debug
  b:
    <<: [*common]
    image: acme/b:1
    environment: *env
    restart: "no"
"#,
            )],
        )
    },
    Case {
        old: true,
        ..one(
            "what_readers_misread",
            &[(
                "compose.yaml",
                r##"
services:
  a:
    image: acme/a:1
    command: ["yes", "no", "on", "off", "null", "~", "1e3", "0x1f", "22:22", "2001-01-01", "- x", "a: b", "# no", "", " ", "*a", "&a", "!a", "%a", "@a", "`a"]
    environment:
      SAYS_YES: "yes"
      NUMBER: "0123"
      OCTAL: 0o10
      TEXT: "line one\nline two\ttab \"quoted\" back\\slash"
      UNICODE: "zażółć 🚀 \u2028 \u0085"
      FOLDED: >
        one
        two

        three
      BLOCK: |
        #!/bin/sh
        echo "$$HOME"
      SINGLE: 'it''s'
    labels:
      - "traefik.http.routers.a.rule=Host(`a.example.com`) && PathPrefix(`/x`)"
      - "yes=no"
"##,
            )],
        )
    },
    Case {
        profiles: &["debug"],
        images: &["acme/a:1", "acme/tool:1"],
        ..one(
            "profiles",
            &[(
                "compose.yaml",
                r#"
services:
  a:
    image: acme/a:1
    depends_on:
      extra: {condition: service_started, required: false}
      tool: {condition: service_healthy, restart: true}
  tool:
    image: acme/tool:1
    profiles: [debug, test]
    healthcheck:
      test: ["CMD", "true"]
      interval: 5s
  extra:
    image: acme/extra:1
    profiles: [extra]
    secrets: [unused]
secrets:
  unused:
    file: ./not-there
"#,
            )],
        )
    },
    Case {
        env: "COMPOSE_PROFILES=one, two\n",
        images: &["acme/a:1", "acme/b:1", "acme/a:1"],
        ..one(
            "profiles_by_environment",
            &[(
                "compose.yaml",
                "services:\n  a: {image: 'acme/a:1', profiles: [one]}\n  b: {image: 'acme/b:1', profiles: [two]}\n  c: {image: 'acme/c:1', profiles: [three]}\n  d: {image: 'acme/a:1'}\n",
            )],
        )
    },
    one(
        "inline_configs",
        &[(
            "compose.yaml",
            r#"
services:
  web:
    image: nginx:1
    configs:
      - source: conf
        target: /etc/nginx/conf.d/default.conf
        mode: 0440
        uid: "101"
      - plain
    secrets:
      - source: cert
        target: server.crt
        mode: 0o400
configs:
  conf:
    content: |
      server {
        listen 80;
        set $$uri_copy $$uri;
      }
  plain:
    file: /etc/acme/plain.conf
secrets:
  cert:
    file: /etc/acme/server.crt
"#,
        )],
    ),
    one(
        "long_syntax",
        &[(
            "compose.yaml",
            r#"
services:
  a:
    image: acme/a:1
    ports:
      - target: 80
        published: "8080-8090"
        protocol: tcp
        mode: host
        name: http
        app_protocol: http
      - "9000-9002:9000-9002"
      - 5000
    volumes:
      - {type: bind, source: /srv/a, target: /data, read_only: true, bind: {create_host_path: false, propagation: rslave}}
      - {type: volume, source: data, target: /cache, volume: {nocopy: true, subpath: x}}
      - {type: tmpfs, target: /tmp, tmpfs: {size: 1048576, mode: 01777}}
      - logs:/var/log:rw,z
      - /anonymous
    networks:
      front:
        aliases: [www, web]
        ipv4_address: 172.30.0.10
        priority: 10
      back:
    devices:
      - /dev/ttyUSB0:/dev/ttyS0:rwm
    ulimits:
      nproc: 65535
      nofile: {soft: 20000, hard: 40000}
    sysctls:
      net.core.somaxconn: 1024
    tmpfs: /run
    dns: 10.0.0.1
    dns_search: [a.example, b.example]
    extra_hosts:
      - "db=10.0.0.2"
      - "v6:::1"
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    shm_size: 64m
    expose: [3000, "4000"]
    init: true
    tty: false
    user: "1000:1000"
    group_add: [mail, 1000]
    pids_limit: 100
    stop_signal: SIGINT
volumes:
  data:
    driver: local
    driver_opts: {type: nfs, o: "addr=10.0.0.3,rw", device: ":/export"}
    labels: [a=b]
  logs: {external: true, name: host-logs}
networks:
  front:
    driver: bridge
    enable_ipv6: false
    ipam:
      driver: default
      config:
        - {subnet: 172.30.0.0/16, gateway: 172.30.0.1, aux_addresses: {host1: 172.30.0.5}}
    labels: {team: web}
  back: {external: true, name: shared}
"#,
        )],
    ),
    Case {
        images: &["acme/a:1", "acme/models:3", "acme/init:2"],
        ..one(
            "images_in_other_places",
            &[(
                "compose.yaml",
                r#"
services:
  a:
    image: acme/a:1
    volumes:
      - {type: image, source: "acme/models:3", target: /models, image: {subpath: small}}
    pre_start:
      - {image: "acme/init:2", command: ["migrate"], environment: {A: b}}
    post_start:
      - {command: ["./warm.sh"], user: root}
    pre_stop:
      - {command: ./drain.sh}
"#,
            )],
        )
    },
    one(
        "deploy_and_healthcheck",
        &[(
            "compose.yaml",
            r#"
services:
  a:
    image: acme/a:1
    deploy:
      mode: replicated
      replicas: 3
      labels: {tier: front}
      update_config: {parallelism: 2, delay: 10s, order: start-first, failure_action: rollback}
      rollback_config: {parallelism: 0}
      restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}
      resources:
        limits: {cpus: "0.50", memory: 50M, pids: 10}
        reservations:
          memory: 20M
          devices:
            - {capabilities: [gpu], driver: nvidia, count: all}
      placement:
        constraints: ["node.role==worker"]
        preferences: [{spread: node.labels.zone}]
    healthcheck:
      test: curl -f http://localhost || exit 1
      interval: 1m30s
      timeout: 10s
      retries: 3
      start_period: 40s
      start_interval: 5s
    logging:
      driver: syslog
      options: {syslog-address: "tcp://192.168.0.42:123"}
"#,
        )],
    ),
    one(
        "needs_of_services",
        &[(
            "compose.yaml",
            r#"
services:
  a:
    image: acme/a:1
    links: ["b:bee", c]
    volumes_from: ["b:ro", "container:outside:rw"]
  b:
    image: acme/b:1
    network_mode: service:c
    pid: service:c
    ipc: host
  c:
    image: acme/c:1
    ipc: shareable
    depends_on:
      d: {condition: service_completed_successfully}
  d:
    image: acme/d:1
    restart: on-failure:3
"#,
        )],
    ),
    one(
        "extensions_and_odd_keys",
        &[(
            "compose.yaml",
            r#"
x-top: {a: [1, 2.5, true, null, "x"], "key with space": 1, "yes": no}
services:
  a.b-c_d:
    image: acme/a:1
    x-service: {deep: {deeper: [[1, 2], [3], []]}}
    labels: {"a b": c, "1": one, "on": off, "é": "ü"}
    annotations: [k=v]
    environment: {A-B.C: 1, lower: x}
    gpus: all
    scale: 2
    attach: false
    cgroup: host
    storage_opt: {size: 1G}
    blkio_config: {weight: 300, device_read_bps: [{path: /dev/sda, rate: 12mb}]}
    use_api_socket: true
"#,
        )],
    ),
    Case {
        env: "DIR='/srv/my data'\nMULTI=\"one\ntwo\"\nQUOTED=\"a \\\"b\\\" \\$c\" # note\nexport E=f\nREF=${E}-g\n",
        ..one(
            "environment_file",
            &[(
                "compose.yaml",
                r#"
services:
  a:
    image: acme/a:${E}
    environment:
      - DIR
      - MULTI=${MULTI}
      - QUOTED=$QUOTED
      - REF=$REF
    volumes: ["${DIR}:/data"]
    labels: {dir: "${DIR}"}
"#,
            )],
        )
    },
    one(
        "two_documents",
        &[(
            "compose.yaml",
            "services:\n  a:\n    image: acme/a:1\n    environment: [A=1, B=2]\n---\nservices:\n  a:\n    environment: {B: 3, C: 4}\n  b:\n    image: acme/b:1\n",
        )],
    ),
    one(
        "pinned_and_pulled",
        &[(
            "compose.yaml",
            "services:\n  a:\n    image: acme/a:1@sha256:0000000000000000000000000000000000000000000000000000000000000000\n    platform: linux/amd64\n    pull_policy: always\n  b: {image: 'localhost:5000/b', pull_policy: missing, runtime: runc}\n",
        )],
    ),
];

/// Stacks, compared by `docker stack config`.
pub(crate) const STACKS: &[Case] = &[
    one(
        "stack",
        &[(
            "compose.yaml",
            r#"
version: "3.8"
services:
  web:
    image: nginx:1.27
    ports: [{target: 80, published: 8080, mode: host}, "443:443"]
    deploy:
      replicas: 2
      placement: {constraints: [node.role == worker]}
      update_config: {parallelism: 1, order: start-first}
    environment: {A: "yes", B: 0o17}
    depends_on: [db]
    secrets: [key]
    configs: [{source: conf, target: /etc/conf, mode: 0440}]
  db:
    image: postgres:16
    volumes: ["data:/data"]
    networks: {back: {aliases: [pg]}}
volumes: {data: {}}
networks: {back: {driver: overlay, attachable: true}}
secrets: {key: {external: true}}
configs: {conf: {external: true, name: conf_v2}}
"#,
        )],
    ),
    Case {
        given: &["compose.yaml", "more.yaml"],
        ..one(
            "stack_of_two_files",
            &[
                (
                    "compose.yaml",
                    "services:\n  web:\n    image: nginx:1\n    environment: [A=1, B=2]\n    depends_on: [db]\n    ports: ['80:80']\n  db: {image: 'postgres:16'}\n",
                ),
                (
                    "more.yaml",
                    "services:\n  web:\n    image: nginx:2\n    environment: {B: '3'}\n    deploy: {replicas: 4}\n    ports: ['81:81']\n    depends_on: [cache]\n  cache: {image: 'redis:7'}\n",
                ),
            ],
        )
    },
];
