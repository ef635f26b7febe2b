//! What comes of asking Spotify, against its stand-in.
