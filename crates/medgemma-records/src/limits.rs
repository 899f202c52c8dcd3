//! How much of a file is read. A record comes from outside and may be anything.

/// Limits on what is read. Each default is far above a real record and far below a machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one page. Default 64 MiB.
    pub max_bytes: usize,
    /// JSON values of one page, counted before anything is allocated for them. Default 4 million.
    pub max_values: usize,
    /// Lists and objects within each other. Default 64; at most 120, which is what the JSON parser takes.
    pub max_depth: usize,
    /// Resources of all pages together, contained ones included. Default 50 000.
    pub max_resources: usize,
    /// Characters of one text of a resource; what is longer is cut, and says so. Default 4000.
    pub max_text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_values: 4_000_000,
            max_depth: 64,
            max_resources: 50_000,
            max_text: 4000,
        }
    }
}

impl Limits {
    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_values`](Self::max_values).
    #[must_use]
    pub fn with_max_values(mut self, values: usize) -> Self {
        self.max_values = values;
        self
    }

    /// Sets [`max_depth`](Self::max_depth).
    #[must_use]
    pub fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = depth;
        self
    }

    /// Sets [`max_resources`](Self::max_resources).
    #[must_use]
    pub fn with_max_resources(mut self, resources: usize) -> Self {
        self.max_resources = resources;
        self
    }

    /// Sets [`max_text`](Self::max_text).
    #[must_use]
    pub fn with_max_text(mut self, characters: usize) -> Self {
        self.max_text = characters;
        self
    }
}
