//! Spotify's data export, from the bytes of the archive to observations.
