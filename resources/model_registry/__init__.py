"""Where trained models are kept: folders that score, and MLflow as the record."""

from resources.model_registry.mlflow_records import MlflowRecords
from resources.model_registry.model_folders import ModelFolders

__all__ = ["MlflowRecords", "ModelFolders"]
