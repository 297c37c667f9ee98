// Puts this server's address into the form for signing in, which the Admin UI leaves empty until it has been filled in once.
// No other address would do: the page may connect to nowhere else.
if (!localStorage.getItem("server_url")) {
  const fill = () => {
    const field = document.querySelector("form input[type=text]");
    if (!field) return;
    formAppears.disconnect();
    if (field.value === "") {
      field.value = location.origin;
      field.dispatchEvent(new Event("input"));
    }
  };
  const formAppears = new MutationObserver(fill);
  formAppears.observe(document.body, { childList: true, subtree: true });
  fill();
}
