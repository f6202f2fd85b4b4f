"""What the makers of pages and pictures say of their use: in answers, in files of their sites, in pictures."""
