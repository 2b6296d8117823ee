"""junctor-media: relay, prompts, digits and forks of telephone audio, commanded in rtpengine's `ng` protocol."""
