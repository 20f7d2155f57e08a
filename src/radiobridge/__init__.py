"""radiobridge: joins the radios of agencies on both sides of a border, by consent."""
