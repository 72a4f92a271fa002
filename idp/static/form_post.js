// Sends the answer on its way; without this script the person presses the button.
"use strict";
document.getElementById("form-post").submit();
