"""Choose lists from more candidates than are returned: diverse, calibrated to the user's history, or with quotas."""

from nestrec.reranking.calibrate import Calibrate as Calibrate
from nestrec.reranking.diversify import Diversify as Diversify
from nestrec.reranking.groups import Categories as Categories
from nestrec.reranking.groups import Topics as Topics
from nestrec.reranking.quota import Quota as Quota
