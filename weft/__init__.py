"""From Common Crawl to a multimodal corpus you can train on."""
