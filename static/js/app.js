// The board's JavaScript: each module enhances data-* attributes. The board serves these joined, in this order.
import "./memory.js";
import "./morph.js";
import "./time.js";
import "./lists.js";
import "./bulk.js";
import "./dialogs.js";
import "./live.js";
import "./stream.js";
import "./actions.js";
import "./themes.js";
import "./copy.js";
import "./shortcuts.js";
