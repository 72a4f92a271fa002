// Goes on when the clients that are told of a sign-out have answered, or have had three seconds to; the link does it too.
"use strict";

{
  const PATIENCE = 3000;
  const link = document.getElementById("onward");
  let gone = false;

  const go = () => {
    if (gone) return;
    gone = true;
    location.replace(link.href);
  };

  // The page is loaded when its frames are.
  addEventListener("load", go);
  setTimeout(go, PATIENCE);
}
