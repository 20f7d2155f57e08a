"""`radiobridge bench`: what voice costs on this machine, and how late it is."""
