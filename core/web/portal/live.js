"use strict";
(function () {
  var main = document.getElementById("live"), announce = document.getElementById("announce"), updates = document.getElementById("updates");
  if (!main || !window.EventSource || !window.fetch || !window.DOMParser) { return; }
  var busy = false, again = false, failures = 0, source;

  function swap(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html"), next = fresh.getElementById("live");
    if (!next || next.dataset.version === main.dataset.version) { return; }
    var changed = next.dataset.announce !== main.dataset.announce;
    var focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    main.innerHTML = next.innerHTML;
    main.dataset.version = next.dataset.version;
    main.dataset.announce = next.dataset.announce;
    document.title = fresh.title;
    if (changed) { announce.textContent = next.dataset.announce; }
    if (focused) {
      var links = main.querySelectorAll("a[href]"), found = main;
      for (var i = 0; i < links.length; i++) { if (links[i].getAttribute("href") === focused) { found = links[i]; } }
      found.focus({ preventScroll: true });
    }
  }

  function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(location.pathname, { cache: "no-store", credentials: "omit" })
      .then(function (r) {
        if (r.status === 404 || r.status === 410) { location.reload(); }
        if (!r.ok) { throw new Error(String(r.status)); }
        return r.text();
      })
      .then(swap)
      .catch(function () { setTimeout(refresh, 15000); })
      .then(function () { busy = false; if (again) { again = false; refresh(); } });
  }

  function connect() {
    source = new EventSource(location.pathname + "/events");
    source.addEventListener("version", function (e) {
      failures = 0;
      updates.hidden = false;
      if (e.data !== main.dataset.version) { refresh(); }
    });
    source.onerror = function () {
      if (source.readyState !== EventSource.CLOSED) { return; } // the browser tries again by itself
      updates.hidden = true;
      if (++failures > 20) { return; }
      setTimeout(connect, Math.min(failures, 6) * 10000 + Math.random() * 5000);
    };
  }
  connect();
})();
