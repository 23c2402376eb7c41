// Operations on many jobs: what the pages ask for stands in their HTML.

import "../app.ts";
import "../htmx.ts";
