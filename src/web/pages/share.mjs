// The buttons of a certificate that print it and pass on a link to it: they are there only where they work.

const print = document.getElementById('print');
print.hidden = false;
print.addEventListener('click', () => window.print());

const share = document.getElementById('share');
const url = document.querySelector('link[rel=canonical]').href;
if (navigator.share) {
  share.hidden = false;
  // Who closes the sheet has not shared, and that is no error.
  share.addEventListener('click', () => navigator.share({ title: document.title, url }).catch(() => {}));
} else if (navigator.clipboard) {
  share.hidden = false;
  share.addEventListener('click', async () => {
    await navigator.clipboard.writeText(url);
    share.textContent = share.dataset.done;
  });
}
