from tests.serving.conftest import folder, served, shop

__all__ = ["folder", "served", "shop"]
