//! Who may sign what, and how it is checked: canonical JSON, keys, DSSE envelopes, roles, the trust root chain.
//!
//! The order is always bytes → signature → parse. [`envelope::verify_role`] is the one function that counts
//! signatures, for every role and document; [`chain::Chain`] is the one place that moves trust forward.

mod acknowledgement;
mod attestation;
pub mod canonical;
mod certificate;
mod chain;
mod checkpoint;
mod enrolment;
mod envelope;
mod export_approval;
mod features;
mod key;
mod key_file;
mod passphrase_key;
mod receipt;
mod root;
mod running_hash;
mod sealed;
mod site_keys;
mod stream_log;

pub use acknowledgement::{AcknowledgedAudit, AcknowledgedPackage, Acknowledgement, Alarm, AlarmCode};
pub use attestation::{IN_TOTO, sign_statement};
pub use certificate::CertificateFacts;
pub use chain::{Chain, ChainStep};
pub use checkpoint::Checkpoint;
pub use enrolment::{ENROLMENT_BYTES, Enrolment, RecipientKey, RecipientScheme};
pub use envelope::{BELOW_THRESHOLD, Envelope, PayloadType, Signature, pre_authentication, verify_role};
pub use export_approval::ExportApproval;
pub use features::check_features;
pub use key::{KeyId, PublicKey, SigningKey, random};
pub use key_file::{
    AskPassphrase, KeyFile, LOST_PASSPHRASE, NAME_KEY, PASSPHRASE, only_its_owner_reads, open_key, replace_signing_key,
    write_secret_file, write_signing_key,
};
pub use passphrase_key::{PassphraseCost, PassphraseKey, RECORD_TAG_BYTES, RecordKey, SALT_BYTES};
pub use receipt::{Receipt, ReceiptResult};
pub use root::{EpochRule, Key, Role, RoleName, Roles, RootDocument, Rule, Scheme, Signers};
pub use running_hash::{HASH_BLOCK, RunningHash};
pub use sealed::{SealedSecret, SealedSecrets, SecretRecord};
pub use site_keys::{SITE_KEYS_BYTES, SiteKeys};
pub use stream_log::{stream_seal, stream_start};
