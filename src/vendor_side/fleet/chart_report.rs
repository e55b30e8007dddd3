//! What became of a chart, for whoever makes the bundle.

/// How a chart's images were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChartWay {
    /// helm worked it out.
    Rendered {
        /// Its version.
        helm: String,
        /// Under which circumstances, in words.
        renderings: Vec<String>,
        /// What reading it without helm finds of that, in words.
        without_helm: String,
        /// Places that only a site can tell, for which the author vouches.
        vouched: usize,
    },
    /// It was read as it stands, and everything in it could be told.
    Static,
    /// It was read as it stands, and the author vouches for what could not be told.
    Vouched {
        /// Places that could not be told.
        untold: usize,
    },
}

/// What became of a chart under one set of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartReport {
    /// The application.
    pub application: String,
    /// The helm release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// How its images were found.
    pub way: ChartWay,
    /// Images that come out of it, as its author names them.
    pub images: Vec<String>,
    /// Kinds of addresses of appliances that it does not take, and why.
    pub addresses: Vec<String>,
}

impl ChartReport {
    /// Returns it as one sentence.
    pub fn sentence(&self) -> String {
        let images = crate::domain::counted(self.images.len(), "image");
        let head = format!("chart of {}, release {}", self.application, self.release);
        let addresses = match self.addresses.as_slice() {
            [] => String::new(),
            kinds => format!("; not for appliances with {}", kinds.join("; nor with ")),
        };
        let said = match &self.way {
            ChartWay::Rendered {
                helm,
                renderings,
                without_helm,
                vouched,
            } => {
                let mut text = format!("{head}: worked out by helm {helm} as {}", renderings.join(", as "));
                text += &format!(", {images}; {without_helm}");
                if *vouched > 0 {
                    let places = crate::domain::counted(*vouched, "place");
                    text += &format!(
                        "; for {places} that only a site can tell, images_complete in the release file vouches"
                    );
                }
                text
            }
            ChartWay::Static => format!("{head}: read without helm, {images}, and nothing in it was left open"),
            ChartWay::Vouched { untold } => format!(
                "{head}: read without helm, {images}; for {} that could not be told, images_complete in the release file vouches",
                crate::domain::counted(*untold, "place")
            ),
        };
        said + &addresses
    }
}
