//! What agents send. Texts are held as the reader or writer needs them; an id that is missing or `null` is none.

use super::object::report_object;
use crate::domain::{AgentTime, Uuid};

report_object! {
    /// Body of `POST status`: how a deployment is.
    pub struct StatusReport {
        /// The revision that is spoken of.
        "revisionId" => revision: Option<Uuid>, uuid;
        /// A word of [`crate::domain::StatusKind`], or another one.
        "type" => kind: Text, text;
        /// What a person should know.
        "message" => message: Text, text;
    }
}

report_object! {
    /// Body of `POST metrics`: how the host is.
    pub struct Metrics {
        /// Thousandths of processor cores.
        "cpuCoresMillis" => cpu_cores_millis: i64, integer;
        /// Part of them in use, 0 to 1.
        "cpuUsage" => cpu_usage: f64, fraction;
        /// Bytes of memory.
        "memoryBytes" => memory_bytes: i64, integer;
        /// Part of it in use, 0 to 1.
        "memoryUsage" => memory_usage: f64, fraction;
        list {
            /// Disks; docker agents alone state them.
            "diskMetrics" => disk_metrics: DiskMetrics;
        }
    }
}

report_object! {
    /// A disk of [`Metrics`].
    pub struct DiskMetrics {
        /// Its device.
        "device" => device: Text, text;
        /// Where it is mounted.
        "path" => path: Text, text;
        /// Type of its file system.
        "fsType" => fs_type: Text, text;
        /// Its size.
        "bytesTotal" => bytes_total: i64, integer;
        /// Bytes in use.
        "bytesUsed" => bytes_used: i64, integer;
    }
}

report_object! {
    /// An element of `PUT logs`: a line of a container.
    pub struct LogRecord {
        /// Agents send [`unset_id`], and it means nothing.
        "id" => id: Option<Uuid>, uuid;
        /// The deployment.
        "deploymentId" => deployment: Option<Uuid>, uuid;
        /// Its revision.
        "deploymentRevisionId" => revision: Option<Uuid>, uuid;
        /// The container, service or object.
        "resource" => resource: Text, text;
        /// When, by the container's clock.
        "timestamp" => at: AgentTime, time;
        /// `Log`, or the stream that it came by.
        "severity" => severity: Text, text;
        /// The line.
        "body" => body: Text, text;
    }
}

report_object! {
    /// An element of `PUT deployment-target-logs`: a line of the agent itself.
    pub struct AgentLogRecord {
        /// Agents send [`unset_id`], and it means nothing.
        "id" => id: Option<Uuid>, uuid;
        /// When, by the agent's clock.
        "timestamp" => at: AgentTime, time;
        /// `debug`, `info`, `warn` or `error`.
        "severity" => severity: Text, text;
        /// The line, with its end.
        "body" => body: Text, text;
    }
}

/// Returns the UUID of zeroes that agents send where there is no id yet.
pub fn unset_id() -> Uuid {
    Uuid::from_bytes([0; 16])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::ReportObject;
    use super::*;

    fn members<R: ReportObject + serde::Serialize>() -> Vec<String> {
        let Value::Object(members) = serde_json::to_value(R::default()).unwrap() else {
            unreachable!("a struct is an object");
        };
        let mut known: Vec<String> = R::MEMBERS.iter().map(|name| (*name).to_owned()).collect();
        known.sort();
        assert!(known.iter().eq(members.keys()), "{known:?}");
        R::MEMBERS.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn reports_have_the_members_of_the_wire() {
        assert_eq!(members::<StatusReport>(), ["revisionId", "type", "message"]);
        assert_eq!(
            members::<Metrics>(),
            ["cpuCoresMillis", "cpuUsage", "memoryBytes", "memoryUsage"]
        );
        assert_eq!(
            members::<DiskMetrics>(),
            ["device", "path", "fsType", "bytesTotal", "bytesUsed"]
        );
        let of_lines = [
            "id",
            "deploymentId",
            "deploymentRevisionId",
            "resource",
            "timestamp",
            "severity",
            "body",
        ];
        assert_eq!(members::<LogRecord>(), of_lines);
        assert_eq!(members::<AgentLogRecord>(), ["id", "timestamp", "severity", "body"]);
    }

    #[test]
    fn disks_are_left_out_where_there_are_none() {
        let mut metrics = Metrics::<&str>::default();
        assert!(
            serde_json::to_value(&metrics)
                .unwrap()
                .get(Metrics::<&str>::LIST)
                .is_none()
        );
        metrics.disk_metrics.push(DiskMetrics {
            path: "/",
            ..DiskMetrics::default()
        });
        assert_eq!(
            serde_json::to_value(&metrics).unwrap()["diskMetrics"][0]["path"],
            json!("/")
        );
        assert_eq!(unset_id().to_string(), "00000000-0000-0000-0000-000000000000");
    }
}
