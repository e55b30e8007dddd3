//! Custom resources by which operators are told images: where those stand, from the definitions that their projects publish.
//!
//! Containers in whatever holds a pod are found without this table (`objects`).

use serde_json::Value;

/// Where a kind names images.
#[derive(Debug)]
pub(super) struct Kind {
    /// Group of its API, without a version.
    group: &'static str,
    name: &'static str,
    /// Places with a whole reference; `*` is every member of a list.
    whole: &'static [&'static str],
    /// Places of repository and tag, told apart by the operator's colon; a third one before them is a registry or a path.
    parts: &'static [&'static [&'static str]],
    /// A place without which the operator chooses an image by itself.
    needed: Option<&'static str>,
    /// Places of what somebody fetches by it from elsewhere: charts, and where they lie.
    fetched: &'static [&'static str],
    /// Places of values of charts, as texts.
    values: &'static [&'static str],
}

const KIND: Kind = Kind {
    group: "",
    name: "",
    whole: &[],
    parts: &[],
    needed: None,
    fetched: &[],
    values: &[],
};

const fn whole(group: &'static str, name: &'static str, whole: &'static [&'static str]) -> Kind {
    Kind {
        group,
        name,
        whole,
        ..KIND
    }
}

const fn needed(group: &'static str, name: &'static str, whole: &'static [&'static str], place: &'static str) -> Kind {
    Kind {
        group,
        name,
        whole,
        needed: Some(place),
        ..KIND
    }
}

const fn parts(group: &'static str, name: &'static str, parts: &'static [&'static [&'static str]]) -> Kind {
    Kind {
        group,
        name,
        parts,
        ..KIND
    }
}

const fn fetched(group: &'static str, name: &'static str, fetched: &'static [&'static str]) -> Kind {
    Kind {
        group,
        name,
        fetched,
        ..KIND
    }
}

const MONITORING: &str = "monitoring.coreos.com";
const STRIMZI: &str = "kafka.strimzi.io";
const ARGO: &str = "argoproj.io";
const TEKTON: &str = "tekton.dev";
const FLUX: &str = "source.toolkit.fluxcd.io";
const CROSSPLANE: &str = "pkg.crossplane.io";
const PACKAGE: &[&str] = &["spec.package"];
const URL: &[&str] = &["spec.url"];
const VICTORIA: &str = "operator.victoriametrics.com";
const OPSTREE: &str = "redis.redis.opstreelabs.in";
const IMAGE: &[&str] = &["spec.image"];
const IMAGE_PARTS: &[&[&str]] = &[&["spec.image.repository", "spec.image.tag"]];
const WORKFLOW: &[&str] = &[
    "spec.templates.*.container.image",
    "spec.templates.*.script.image",
    "spec.templates.*.sidecars.*.image",
];
const TASK: &[&str] = &["spec.steps.*.image", "spec.sidecars.*.image", "spec.stepTemplate.image"];
const PIPELINE: &[&str] = &[
    "spec.tasks.*.taskSpec.steps.*.image",
    "spec.tasks.*.taskSpec.sidecars.*.image",
    "spec.tasks.*.taskSpec.stepTemplate.image",
    "spec.finally.*.taskSpec.steps.*.image",
];
const REDIS: &[&str] = &[
    "spec.kubernetesConfig.image",
    "spec.redisExporter.image",
    "spec.initContainer.image",
];

/// The table.
pub(super) const KINDS: &[Kind] = &[
    fetched("helm.toolkit.fluxcd.io", "HelmRelease", &["spec.chart.spec.chart"]),
    fetched(FLUX, "HelmRepository", URL),
    fetched(FLUX, "OCIRepository", URL),
    fetched(FLUX, "GitRepository", URL),
    fetched(FLUX, "Bucket", &["spec.endpoint"]),
    fetched(FLUX, "HelmChart", &["spec.chart"]),
    Kind {
        whole: &["spec.jobImage"],
        values: &["spec.valuesContent"],
        ..fetched("helm.cattle.io", "HelmChart", &["spec.chart"])
    },
    Kind {
        values: &["spec.valuesContent"],
        ..fetched("helm.cattle.io", "HelmChartConfig", &[])
    },
    Kind {
        values: &["spec.source.helm.values", "spec.sources.*.helm.values"],
        ..fetched(ARGO, "Application", &["spec.source.repoURL", "spec.sources.*.repoURL"])
    },
    fetched(ARGO, "ApplicationSet", &["spec.template.spec.source.repoURL"]),
    fetched("helm.crossplane.io", "Release", &["spec.forProvider.chart.name"]),
    whole(CROSSPLANE, "Provider", PACKAGE),
    whole(CROSSPLANE, "Configuration", PACKAGE),
    whole(CROSSPLANE, "Function", PACKAGE),
    fetched("operators.coreos.com", "Subscription", &["spec.name"]),
    whole(
        "operators.coreos.com",
        "ClusterServiceVersion",
        &["spec.relatedImages.*.image"],
    ),
    needed(
        MONITORING,
        "Prometheus",
        &["spec.image", "spec.thanos.image"],
        "spec.image",
    ),
    needed(MONITORING, "PrometheusAgent", IMAGE, "spec.image"),
    needed(MONITORING, "Alertmanager", IMAGE, "spec.image"),
    needed(MONITORING, "ThanosRuler", IMAGE, "spec.image"),
    needed("postgresql.cnpg.io", "Cluster", &["spec.imageName"], "spec.imageName"),
    whole("postgresql.cnpg.io", "ImageCatalog", &["spec.images.*.image"]),
    whole("postgresql.cnpg.io", "ClusterImageCatalog", &["spec.images.*.image"]),
    needed(
        STRIMZI,
        "Kafka",
        &[
            "spec.kafka.image",
            "spec.zookeeper.image",
            "spec.entityOperator.topicOperator.image",
            "spec.entityOperator.userOperator.image",
            "spec.entityOperator.tlsSidecar.image",
            "spec.kafkaExporter.image",
            "spec.cruiseControl.image",
        ],
        "spec.kafka.image",
    ),
    needed(
        STRIMZI,
        "KafkaConnect",
        &["spec.image", "spec.build.output.image"],
        "spec.image",
    ),
    needed(STRIMZI, "KafkaMirrorMaker2", IMAGE, "spec.image"),
    needed(STRIMZI, "KafkaBridge", IMAGE, "spec.image"),
    needed("elasticsearch.k8s.elastic.co", "Elasticsearch", IMAGE, "spec.image"),
    needed("kibana.k8s.elastic.co", "Kibana", IMAGE, "spec.image"),
    needed("apm.k8s.elastic.co", "ApmServer", IMAGE, "spec.image"),
    needed("beat.k8s.elastic.co", "Beat", IMAGE, "spec.image"),
    needed("agent.k8s.elastic.co", "Agent", IMAGE, "spec.image"),
    needed("logstash.k8s.elastic.co", "Logstash", IMAGE, "spec.image"),
    needed("maps.k8s.elastic.co", "ElasticMapsServer", IMAGE, "spec.image"),
    whole(ARGO, "Workflow", WORKFLOW),
    whole(ARGO, "WorkflowTemplate", WORKFLOW),
    whole(ARGO, "ClusterWorkflowTemplate", WORKFLOW),
    whole(
        ARGO,
        "CronWorkflow",
        &[
            "spec.workflowSpec.templates.*.container.image",
            "spec.workflowSpec.templates.*.script.image",
            "spec.workflowSpec.templates.*.sidecars.*.image",
        ],
    ),
    whole(ARGO, "Sensor", &["spec.template.container.image"]),
    whole(ARGO, "EventSource", &["spec.template.container.image"]),
    parts(
        ARGO,
        "ArgoCD",
        &[
            &["spec.image", "spec.version"],
            &["spec.sso.dex.image", "spec.sso.dex.version"],
        ],
    ),
    whole(TEKTON, "Task", TASK),
    whole(TEKTON, "ClusterTask", TASK),
    whole(TEKTON, "StepAction", IMAGE),
    whole(TEKTON, "Pipeline", PIPELINE),
    whole(
        TEKTON,
        "TaskRun",
        &["spec.taskSpec.steps.*.image", "spec.taskSpec.sidecars.*.image"],
    ),
    whole(
        TEKTON,
        "PipelineRun",
        &["spec.pipelineSpec.tasks.*.taskSpec.steps.*.image"],
    ),
    whole("extensions.istio.io", "WasmPlugin", &["spec.url"]),
    parts("install.istio.io", "IstioOperator", &[&["spec.hub", "spec.tag"]]),
    whole(
        "jaegertracing.io",
        "Jaeger",
        &[
            "spec.allInOne.image",
            "spec.query.image",
            "spec.collector.image",
            "spec.agent.image",
            "spec.ingester.image",
        ],
    ),
    needed(
        "opentelemetry.io",
        "OpenTelemetryCollector",
        &["spec.image", "spec.targetAllocator.image"],
        "spec.image",
    ),
    whole(
        "opentelemetry.io",
        "Instrumentation",
        &[
            "spec.java.image",
            "spec.nodejs.image",
            "spec.python.image",
            "spec.dotnet.image",
            "spec.go.image",
            "spec.apacheHttpd.image",
            "spec.nginx.image",
        ],
    ),
    whole(
        "databases.spotahome.com",
        "RedisFailover",
        &[
            "spec.redis.image",
            "spec.redis.exporter.image",
            "spec.sentinel.image",
            "spec.sentinel.exporter.image",
        ],
    ),
    whole(OPSTREE, "Redis", REDIS),
    whole(OPSTREE, "RedisCluster", REDIS),
    whole(OPSTREE, "RedisReplication", REDIS),
    whole(OPSTREE, "RedisSentinel", REDIS),
    needed("rabbitmq.com", "RabbitmqCluster", IMAGE, "spec.image"),
    needed("minio.min.io", "Tenant", IMAGE, "spec.image"),
    whole(
        "psmdb.percona.com",
        "PerconaServerMongoDB",
        &["spec.image", "spec.initImage", "spec.pmm.image", "spec.backup.image"],
    ),
    whole(
        "pxc.percona.com",
        "PerconaXtraDBCluster",
        &[
            "spec.pxc.image",
            "spec.haproxy.image",
            "spec.proxysql.image",
            "spec.logcollector.image",
            "spec.pmm.image",
            "spec.backup.image",
        ],
    ),
    whole(
        "pgv2.percona.com",
        "PerconaPGCluster",
        &[
            "spec.image",
            "spec.proxy.pgBouncer.image",
            "spec.backups.pgbackrest.image",
            "spec.pmm.image",
        ],
    ),
    needed(
        "postgres-operator.crunchydata.com",
        "PostgresCluster",
        &[
            "spec.image",
            "spec.backups.pgbackrest.image",
            "spec.proxy.pgBouncer.image",
            "spec.monitoring.pgmonitor.exporter.image",
        ],
        "spec.image",
    ),
    whole(
        "acid.zalan.do",
        "postgresql",
        &["spec.dockerImage", "spec.sidecars.*.image"],
    ),
    whole(
        "acid.zalan.do",
        "OperatorConfiguration",
        &[
            "configuration.docker_image",
            "configuration.connection_pooler.connection_pooler_image",
            "configuration.logical_backup.logical_backup_docker_image",
        ],
    ),
    needed(
        "k8s.mariadb.com",
        "MariaDB",
        &["spec.image", "spec.metrics.exporter.image"],
        "spec.image",
    ),
    needed("k8s.mariadb.com", "MaxScale", IMAGE, "spec.image"),
    needed(
        "ceph.rook.io",
        "CephCluster",
        &["spec.cephVersion.image"],
        "spec.cephVersion.image",
    ),
    needed(
        "cassandra.datastax.com",
        "CassandraDatacenter",
        &["spec.serverImage", "spec.configBuilderImage", "spec.systemLoggerImage"],
        "spec.serverImage",
    ),
    parts(
        "scylla.scylladb.com",
        "ScyllaCluster",
        &[
            &["spec.repository", "spec.version"],
            &["spec.agentRepository", "spec.agentVersion"],
        ],
    ),
    parts("zookeeper.pravega.io", "ZookeeperCluster", IMAGE_PARTS),
    whole(
        "vault.banzaicloud.com",
        "Vault",
        &[
            "spec.image",
            "spec.bankVaultsImage",
            "spec.statsdImage",
            "spec.fluentdImage",
        ],
    ),
    parts(
        "logging.banzaicloud.io",
        "Logging",
        &[
            &["spec.fluentd.image.repository", "spec.fluentd.image.tag"],
            &["spec.fluentbit.image.repository", "spec.fluentbit.image.tag"],
        ],
    ),
    parts(VICTORIA, "VMAgent", IMAGE_PARTS),
    parts(VICTORIA, "VMSingle", IMAGE_PARTS),
    parts(VICTORIA, "VMAlert", IMAGE_PARTS),
    parts(VICTORIA, "VMAlertmanager", IMAGE_PARTS),
    parts(VICTORIA, "VMAuth", IMAGE_PARTS),
    parts(
        VICTORIA,
        "VMCluster",
        &[
            &["spec.vmselect.image.repository", "spec.vmselect.image.tag"],
            &["spec.vminsert.image.repository", "spec.vminsert.image.tag"],
            &["spec.vmstorage.image.repository", "spec.vmstorage.image.tag"],
        ],
    ),
    needed("k8s.keycloak.org", "Keycloak", IMAGE, "spec.image"),
    whole("flink.apache.org", "FlinkDeployment", IMAGE),
    whole(
        "sparkoperator.k8s.io",
        "SparkApplication",
        &["spec.image", "spec.driver.image", "spec.executor.image"],
    ),
    whole(
        "sparkoperator.k8s.io",
        "ScheduledSparkApplication",
        &[
            "spec.template.image",
            "spec.template.driver.image",
            "spec.template.executor.image",
        ],
    ),
    whole(
        "kubevirt.io",
        "VirtualMachine",
        &["spec.template.spec.volumes.*.containerDisk.image"],
    ),
    whole(
        "kubevirt.io",
        "VirtualMachineInstance",
        &["spec.volumes.*.containerDisk.image"],
    ),
    whole("cdi.kubevirt.io", "DataVolume", &["spec.source.registry.url"]),
    parts(
        "nvidia.com",
        "ClusterPolicy",
        &[
            &["spec.driver.repository", "spec.driver.image", "spec.driver.version"],
            &["spec.toolkit.repository", "spec.toolkit.image", "spec.toolkit.version"],
            &[
                "spec.devicePlugin.repository",
                "spec.devicePlugin.image",
                "spec.devicePlugin.version",
            ],
            &[
                "spec.dcgmExporter.repository",
                "spec.dcgmExporter.image",
                "spec.dcgmExporter.version",
            ],
        ],
    ),
];

/// Images of an object of a known kind.
#[derive(Debug, Default)]
pub(super) struct Named<'a> {
    /// Path and reference of each.
    pub(super) images: Vec<(String, String)>,
    /// Places at which somebody gets more than the object names, and what in words.
    pub(super) said: Vec<(String, String)>,
    /// Values of charts, with their paths.
    pub(super) values: Vec<(String, &'a str)>,
}

/// Returns the images of an object whose kind is in the table.
pub(super) fn images_of(object: &Value) -> Option<Named<'_>> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let group = text("apiVersion")?.split_once('/')?.0;
    let kind = text("kind")?;
    let known = KINDS.iter().find(|known| known.group == group && known.name == kind)?;
    let mut named = Named::default();
    for place in known.whole {
        for (path, reference) in at(object, place) {
            let reference = ["oci://", "docker://"]
                .into_iter()
                .find_map(|scheme| reference.strip_prefix(scheme))
                .unwrap_or(&reference);
            named.images.push((path, reference.to_owned()));
        }
    }
    for places in known.parts {
        let found: Vec<(String, String)> = places.iter().flat_map(|place| at(object, place)).collect();
        // Where one of them says nothing, the operator fills it in.
        if found.len() == places.len()
            && let Some(((path, tag), before)) = found.split_last()
        {
            let name: Vec<&str> = before.iter().map(|(_, text)| text.as_str()).collect();
            let colon = if tag.starts_with("sha256:") { '@' } else { ':' };
            named.images.push((
                before.first().map_or_else(|| path.clone(), |(path, _)| path.clone()),
                format!("{}{colon}{tag}", name.join("/")),
            ));
        }
    }
    if let Some(place) = known.needed
        && at(object, place).is_empty()
        && object
            .get("spec")
            .and_then(|spec| spec.get("imageCatalogRef"))
            .is_none()
    {
        let what = format!("an image that the operator of {kind} chooses");
        named.said.push((place.to_owned(), what));
    }
    for (path, what) in known.fetched.iter().flat_map(|place| at(object, place)) {
        let what: String = what.chars().take(120).collect();
        let what = format!("{what:?} is fetched from elsewhere by whatever acts on a {kind}, with images of its own");
        named.said.push((path, what));
    }
    for place in known.values {
        named.values.extend(texts_at(object, place));
    }
    Some(named)
}

/// Returns the texts at a place that are not empty, each with its path.
fn at(object: &Value, place: &str) -> Vec<(String, String)> {
    let found = texts_at(object, place).into_iter();
    found.map(|(path, text)| (path, text.to_owned())).collect()
}

fn texts_at<'a>(object: &'a Value, place: &str) -> Vec<(String, &'a str)> {
    let mut found: Vec<(String, &Value)> = vec![(String::new(), object)];
    for key in place.split('.') {
        found = found
            .into_iter()
            .flat_map(|(path, value)| -> Vec<(String, &Value)> {
                match (key, value) {
                    ("*", Value::Array(list)) => list
                        .iter()
                        .enumerate()
                        .map(|(number, value)| (format!("{path}[{number}]"), value))
                        .collect(),
                    (key, Value::Object(map)) => {
                        let below = if path.is_empty() {
                            key.to_owned()
                        } else {
                            format!("{path}.{key}")
                        };
                        map.get(key).map(|value| (below, value)).into_iter().collect()
                    }
                    _ => Vec::new(),
                }
            })
            .collect();
    }
    found
        .into_iter()
        .filter_map(|(path, value)| Some((path, value.as_str()?)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row_finds_what_stands_at_its_places() {
        for known in KINDS {
            let mut object = json!({"apiVersion": format!("{}/v1", known.group), "kind": known.name});
            let mut expected = 0;
            for place in known.whole {
                put(&mut object, place, "quay.io/a/b:1");
                expected += 1;
            }
            for places in known.parts {
                for (number, place) in places.iter().enumerate() {
                    put(
                        &mut object,
                        place,
                        if number + 1 == places.len() { "1" } else { "quay.io/a" },
                    );
                }
                expected += 1;
            }
            let named = images_of(&object).unwrap();
            assert_eq!(named.images.len(), expected, "{known:?}");
            assert!(named.said.is_empty(), "{known:?}");
            for (_, reference) in named.images {
                assert!(
                    reference.starts_with("quay.io/a") && reference.ends_with(":1"),
                    "{reference}"
                );
            }
            let bare = json!({"apiVersion": format!("{}/v1", known.group), "kind": known.name});
            assert_eq!(
                images_of(&bare).unwrap().said.len(),
                usize::from(known.needed.is_some())
            );
            for place in known.fetched.iter().chain(known.values) {
                put(&mut object, place, "x");
            }
            let named = images_of(&object).unwrap();
            assert_eq!(
                (named.said.len(), named.values.len()),
                (known.fetched.len(), known.values.len())
            );
        }
        assert!(images_of(&json!({"apiVersion": "x.acme/v1", "kind": "Cluster"})).is_none());
        assert!(images_of(&json!({"apiVersion": "v1", "kind": "Pod"})).is_none());
    }

    fn put(object: &mut Value, place: &str, text: &str) {
        let mut at = object;
        for key in place.split('.') {
            at = if key == "*" {
                if at.is_null() {
                    *at = json!([null]);
                }
                &mut at[0]
            } else {
                &mut at[key]
            };
        }
        *at = json!(text);
    }
}
