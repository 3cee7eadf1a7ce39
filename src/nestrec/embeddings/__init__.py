"""The model: nested embeddings of users and items, and what is done with them."""

from nestrec.embeddings.model import NestedEmbeddings as NestedEmbeddings
