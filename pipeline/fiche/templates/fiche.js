// Says of a fiche that it is not of the last run, where `etat.js`, beside the bundles, says so.
(() => {
  if (!document.currentScript.getAttribute("src").startsWith("../../commun/")) return;
  const etat = document.createElement("script");
  etat.src = "../../etat.js";
  etat.onload = () => {
    const [periode, dossier] = decodeURIComponent(location.pathname).split("/").slice(-3, -1);
    const faite = window.comexEtats?.[periode]?.[dossier];
    if (!faite) return;
    const avis = document.createElement("p");
    avis.className = "perimee";
    avis.setAttribute("role", "note");
    avis.textContent = `Cette fiche n’est plus à jour\u00a0: elle a été ${faite}. Ses fichiers, PDF compris, sont du même état et ne peuvent pas le dire. Les chiffres actuels sont dans la liste de toutes les fiches.`;
    document.querySelector("main").prepend(avis);
  };
  document.head.append(etat);
})();

// Shows the cell that a number comes from, where the pointer rests on it.
document.addEventListener("pointerover", evenement => {
  const nombre = evenement.target.closest("data");
  if (nombre) nombre.title = `${nombre.dataset.cellule.replace(/:/g, "\u00a0: ")} = ${nombre.value}`;
});

// Draws each figure again with plotly.js, in the place of its still picture. Without plotly.js, the pictures stay.
(async () => {
  if (!window.Plotly) return;
  Plotly.register({
    moduleType: "locale",
    name: "fr",
    dictionary: {"Click to enter Colorscale title": "Titre"},
    format: {decimal: ",", thousands: "\u202f", grouping: [3], currency: ["", "\u00a0€"]},
  });
  await Promise.all(["400", "700"].map(poids => document.fonts.load(`${poids} 16px "Source Sans Pro"`)));
  const config = {locale: "fr", displayModeBar: false, displaylogo: false, showSendToCloud: false, responsive: false, scrollZoom: false, doubleClick: false};
  const dessiner = async dessin => {
    const image = dessin.querySelector("img");
    if (!image) return;
    const spec = JSON.parse(document.getElementById(dessin.dataset.spec).textContent);
    const toile = document.createElement("div");
    toile.setAttribute("role", "img");
    toile.setAttribute("aria-label", image.alt);
    dessin.append(toile);
    try {
      image.hidden = true;
      await Plotly.newPlot(toile, spec.data, spec.layout, config);
      toile.on("plotly_treemapclick", () => false); // a click would zoom into the tile, without a way back
      image.remove();
    } catch (erreur) {
      toile.remove();
      image.hidden = false;
      console.error(erreur);
    }
  };
  for (const dessin of document.querySelectorAll(".dessin")) await dessiner(dessin);
})();
