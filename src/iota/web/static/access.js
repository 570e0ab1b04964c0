// Stores the private path of the server for this host and port, where refused pages of the same address look for it
// (iota.web.access.refusals), and says what to do when the server no longer recognises this page.
(() => {
  const { prefix } = document.currentScript.dataset;
  const [, outer, own] = prefix.match(/^(.*?)(\/~[^/]+)?$/);
  if (!own) return;
  const key = `iota-path ${outer}`;
  localStorage.setItem(key, prefix);

  // a server that was restarted on this port has let the browser in, in another tab
  addEventListener("storage", (event) => {
    if (event.key !== key || !event.newValue?.startsWith(`${outer}/~`) || event.newValue === prefix) return;
    location.replace(event.newValue + location.pathname.slice(prefix.length) + location.search + location.hash);
  });

  const ask = async () => {
    const answer = await fetch(`${prefix}/iota-static/iota.css`, { cache: "no-store" }).catch(() => null);
    if (answer?.status !== 401) return;
    const popup = document.getElementById("popup");
    popup.textContent =
      "The server has been restarted and no longer recognises this page. Open the address that it printed; " +
      "this page will then reload, too.";
    popup.ariaHidden = false;
  };
  addEventListener("load", () => window.socket?.on("connect_error", ask));
})();
