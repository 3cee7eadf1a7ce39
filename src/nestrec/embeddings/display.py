"""A model in a notebook: its widths with their metrics on the validation part, and what it was trained on."""

from __future__ import annotations

from nestrec.embeddings.base import ModelParts
from nestrec.notebook_html import format_table

_BYTES = 4  # of a float32


class DisplayMethods(ModelParts):
    """Show the model in a notebook."""

    def _repr_html_(self) -> str:
        """Show a row per width: size of a vector, and the validation metrics where the manifest has them."""
        training = self.manifest.get("training") or {}
        metrics = (training.get("validation_metrics") or {}).get("metrics", {})
        labels = list(next(iter(metrics.values()), {}))
        rows = [
            (width, f"{_BYTES * width:,}", *(metrics.get(str(width), {}).get(label) for label in labels))
            for width in self.widths
        ]
        headers = ["width", "bytes per vector", *(f"{label} (validation)" for label in labels)]
        return format_table(headers, rows, caption=repr(self).strip("<>"), note=self._describe_origin(), left=())

    def _describe_origin(self) -> str:
        """Return a sentence on the training data and the run."""
        training = self.manifest.get("training") or {}
        parts = [f"{self.seen.n_interactions:,} training interactions"]
        if "epochs" in training:
            parts.append(f"{training['epochs']} epochs in {training['seconds']:.1f} s")
        if self.search_config is not None:
            parts.append(f"search config: {self.search_config.name}")
        if self.codes is not None:
            parts.append(f"codes of every width: {self.codes.nbytes:,} bytes")
        return "; ".join(parts)
