// Operations on many jobs: what the pages ask for stands in their HTML.

import "../../assets/app.ts";
import "../../assets/htmx.ts";
