// The script of every page. Pages add their own in pages/, which import from here what they need.

import "./clicks.ts";
import "./preferences.ts";
import "./times.ts";
import "./yesterday.ts";
import "./toasts.ts";
import "./confirm.ts";
import "./keys.ts";
import "./menus.ts";
import "./tabs.ts";
import "./copy.ts";
import "./icons.ts";
import "./numbers.ts";
import "./api.ts";
import "./connection.ts";
import "./logout.ts";
import "./regions.ts";
import "./posting.ts";
