//! The manifest of a kubernetes agent (distr-protocol 1.4, revision v2): applied with `-n NAMESPACE`, for a namespace or the cluster.
//!
//! Object names are the hub's, so that an agent that moves here takes over what it has. The image is named by digest under this
//! appliance and read without credentials, so no pull secret is needed; a `distr-agent-dockerconfig` that somebody made is mounted as
//! with the hub. The agent's version stands in the pod template: a new one always replaces the pod (otherwise agents would
//! update themselves for ever).

use sha2::{Digest as _, Sha256};

use super::docker::{environment, image, no_image};
use super::yaml::{block, quoted};
use crate::appliance::fleet::{Assignment, SiteView};
use crate::bundle::desired::{KubernetesScope, TargetKind};
use crate::domain::{Hash, Result, Uuid};

/// Where the agent finds the authority's certificate. The system's own stay in use.
const AUTHORITY_FOLDER: &str = "/opt/config/authority";

/// Everything of the pod template that is the same for all.
const CONTAINER: &str = "          imagePullPolicy: IfNotPresent
          envFrom:
            - secretRef:
                name: distr-agent-auth
            - configMapRef:
                name: distr-agent-env
          ports:
            - containerPort: 8765
          livenessProbe:
            httpGet:
              path: /
              port: 8765
            initialDelaySeconds: 10
            periodSeconds: 60
            failureThreshold: 2
          readinessProbe:
            httpGet:
              path: /
              port: 8765
            initialDelaySeconds: 10
            periodSeconds: 60
            failureThreshold: 2
";

/// Renders the manifest; without a secret the object that would hold it is left out.
///
/// # Errors
///
/// None in fact: the document was checked.
pub(super) fn render(target: &Uuid, assignment: &Assignment, site: &SiteView, secret: Option<&str>) -> Result<String> {
    let (stated, version) = (assignment.target()?, assignment.agent()?);
    let agent = version.image(TargetKind::Kubernetes).ok_or_else(no_image)?;
    let kubernetes = stated.kubernetes.as_ref().ok_or_else(no_image)?;
    let mut out = object("v1", "ConfigMap", "distr-agent-env");
    out += "data:\n";
    for (name, value) in environment(target, &version.id, site) {
        out += &format!("  {name}: {}\n", quoted(&value));
    }
    if let Some(authority) = site.authority() {
        out += &object("v1", "ConfigMap", "distr-agent-authority");
        out += &format!("data:\n  ca.crt: |\n{}", block(authority, 4));
    }
    if let Some(secret) = secret {
        out += &object("v1", "Secret", "distr-agent-auth");
        out += &format!("type: Opaque\nstringData:\n  DISTR_TARGET_SECRET: {}\n", quoted(secret));
    }
    out += &object("v1", "ServiceAccount", "distr-agent");
    out += &match kubernetes.scope {
        KubernetesScope::Namespace => namespace_rights(),
        KubernetesScope::Cluster => cluster_rights(&kubernetes.namespace),
    };
    out += &object("apps/v1", "Deployment", "distr-agent");
    out += "spec:\n  replicas: 1\n  strategy:\n    type: Recreate\n  selector:\n    matchLabels:\n      app: distr-agent\n";
    out += "  template:\n    metadata:\n      labels:\n        app: distr-agent\n      annotations:\n";
    out += &format!(
        "        airlock.internal/agent-version: {}\n",
        quoted(&version.id.to_string())
    );
    if let Some(authority) = site.authority() {
        let hash = Hash(Sha256::digest(authority).into()).to_hex();
        out += &format!("        airlock.internal/authority: {}\n", quoted(&hash));
    }
    out += "    spec:\n      serviceAccountName: distr-agent\n      securityContext:\n        runAsNonRoot: true\n";
    out += &format!(
        "      containers:\n        - name: distr-agent\n          image: {}\n",
        image(agent, site)
    );
    out += CONTAINER;
    out += "          env:\n            - name: DOCKER_CONFIG\n              value: /opt/config/.docker/\n";
    out += "            - name: DISTR_AGENT_CONFIG_DIRS\n              value: |\n";
    out += "                /opt/config/.agent/env\n                /opt/config/.agent/auth\n";
    if site.authority().is_some() {
        out += "            - name: SSL_CERT_DIR\n";
        out += &format!("              value: '/etc/ssl/certs:{AUTHORITY_FOLDER}'\n");
    }
    out += "          resources:\n";
    match &kubernetes.resources {
        Some(stated) => {
            out += &format!(
                "            limits:\n              cpu: {}\n              memory: {}\n            requests:\n              cpu: {}\n              memory: {}\n",
                quoted(&stated.cpu_limit),
                quoted(&stated.memory_limit),
                quoted(&stated.cpu_request),
                quoted(&stated.memory_request)
            );
        }
        None => {
            out += "            limits:\n              cpu: 500m\n              memory: 256Mi\n            requests:\n              memory: 256Mi\n";
        }
    }
    out += &mounts(site.authority().is_some());
    Ok(out)
}

fn mounts(authority: bool) -> String {
    let mut mounts = String::from("          volumeMounts:\n");
    let mut volumes = String::from("      volumes:\n");
    let mut add = |name: &str, path: &str, source: &str| {
        mounts += &format!("            - name: {name}\n              mountPath: {path}\n");
        volumes += &format!("        - name: {name}\n          {source}\n");
    };
    add(
        "env",
        "/opt/config/.agent/env",
        "configMap:\n            name: distr-agent-env",
    );
    add(
        "auth",
        "/opt/config/.agent/auth",
        "secret:\n            secretName: distr-agent-auth",
    );
    add(
        "dockerconfig",
        "/opt/config/.docker/",
        "secret:\n            secretName: distr-agent-dockerconfig\n            optional: true",
    );
    add("cache", "/.cache/", "emptyDir: {}");
    if authority {
        add(
            "authority",
            AUTHORITY_FOLDER,
            "configMap:\n            name: distr-agent-authority",
        );
    }
    mounts + &volumes
}

fn namespace_rights() -> String {
    let mut out = object("rbac.authorization.k8s.io/v1", "Role", "namespace-admin");
    out += "rules:\n  - apiGroups: ['*']\n    resources: ['*']\n    verbs: ['*']\n";
    out += &object("rbac.authorization.k8s.io/v1", "RoleBinding", "distr-agent");
    out += "subjects:\n  - kind: ServiceAccount\n    name: distr-agent\n";
    out + "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: namespace-admin\n"
}

fn cluster_rights(namespace: &str) -> String {
    let name = format!("distr-agent-{namespace}");
    let mut out = object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", &name);
    out += "subjects:\n  - kind: ServiceAccount\n    name: distr-agent\n";
    out += &format!("    namespace: {}\n", quoted(namespace));
    out + "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: cluster-admin\n"
}

fn object(version: &str, kind: &str, name: &str) -> String {
    format!("---\napiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n")
}
