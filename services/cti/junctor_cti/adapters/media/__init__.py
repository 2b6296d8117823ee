"""The media process: prompts, joins, digits, forks. rtpengine and junctor-media speak the same protocol."""
