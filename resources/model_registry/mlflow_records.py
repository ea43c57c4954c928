"""MLflow as the record of every trained version: parameters, metrics, files, a signature, aliases.

Nothing is read back from here to score. MLflow is imported at the first call, which takes two seconds; opening its
store takes another, and a new one a few more. Telemetry is switched off before the import.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quant_assets.foundation.errors import StorageError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = ["MlflowRecords"]

_EXPERIMENT = "signals"
_VERSION_TAG = "quant.model_version"
_LONGEST_PARAMETER = 6000
"""MLflow's own limit for the text of a parameter."""
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A server that does not answer should cost a night seconds, not the library's default of minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class MlflowRecords:
    """Records versions in an MLflow store.

    Parameters
    ----------
    folder : Path
        Where the SQLite store and the artifacts of this installation lie.
    tracking_uri : str, optional
        Another store, such as a server's URL; artifacts then go where it says.
    """

    def __init__(self, folder: Path, tracking_uri: str | None = None) -> None:
        self._folder = folder
        self._is_own = tracking_uri is None
        self.location = tracking_uri or f"sqlite:///{folder / 'mlflow.db'}"

    def record(
        self,
        *,
        model: str,
        model_version: str,
        folder: Path,
        features: Sequence[str],
        parameters: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> str:
        """Record a version with its files and register it; recording it again replaces the former record.

        Parameters
        ----------
        model, model_version : str
        folder : Path
            The version's folder, with LightGBM's text as ``model.txt``.
        features : sequence of str
            Inputs of the signature.
        parameters, metrics, tags : mapping

        Returns
        -------
        str
            The MLflow run's id.

        Raises
        ------
        StorageError
            Where the store cannot be used.
        """
        with self._client() as client:
            from mlflow.entities import Metric, Param  # noqa: PLC0415 - imported by the client, two seconds late

            self._discard(client, model, model_version)
            run = client.create_run(
                self._experiment(client), run_name=model_version, tags={_VERSION_TAG: model_version, **tags}
            )
            run_id: str = run.info.run_id
            now_ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
            client.log_batch(
                run_id,
                metrics=[Metric(name, number, now_ms, 0) for name, number in metrics.items()],
                params=[Param(name, value[:_LONGEST_PARAMETER]) for name, value in parameters.items()],
            )
            client.log_artifacts(run_id, str(folder), "files")
            with tempfile.TemporaryDirectory() as draft:
                _save_booster(folder / "model.txt", Path(draft) / "model", features)
                client.log_artifacts(run_id, str(Path(draft) / "model"), "model")
            if not client.search_registered_models(f"name='{model}'"):
                client.create_registered_model(model)
            client.create_model_version(
                model, source=f"{run.info.artifact_uri}/model", run_id=run_id, tags={_VERSION_TAG: model_version}
            )
            client.set_terminated(run_id)
            return run_id

    def assign_alias(self, model: str, alias: str, model_version: str | None) -> None:
        """Give an alias to a version, or take it from whoever holds it where the version is None or not recorded."""
        with self._client() as client:
            number = self._number(client, model, model_version) if model_version else None
            if number is not None:
                client.set_registered_model_alias(model, alias, number)
            elif client.search_registered_models(f"name='{model}'"):
                client.delete_registered_model_alias(model, alias)

    def discard(self, model: str, model_version: str) -> None:
        """Forget a version; nothing happens where it is not recorded."""
        with self._client() as client:
            self._discard(client, model, model_version)

    def _discard(self, client: MlflowClient, model: str, model_version: str) -> None:
        number = self._number(client, model, model_version)
        if number is not None:
            client.delete_model_version(model, number)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        for run in client.search_runs(experiments, f"tags.`{_VERSION_TAG}` = '{model_version}'") if experiments else ():
            client.delete_run(run.info.run_id)

    def _number(self, client: MlflowClient, model: str, model_version: str) -> str | None:
        """MLflow's own number of one of our versions."""
        found = client.search_model_versions(f"name='{model}'")
        return next((str(one.version) for one in found if one.tags.get(_VERSION_TAG) == model_version), None)

    def _experiment(self, client: MlflowClient) -> str:
        """The experiment for new runs.

        MLflow fixes an experiment's folder for ever. In a home that was moved or copied that is the old home's, so the
        experiment is renamed there and a new one begun.
        """
        location = (self._folder / "artifacts").as_uri() if self._is_own else None
        experiment = client.get_experiment_by_name(_EXPERIMENT)
        if experiment is not None and location in (None, experiment.artifact_location):
            return str(experiment.experiment_id)
        if experiment is not None:
            client.rename_experiment(experiment.experiment_id, f"{_EXPERIMENT} before move {experiment.experiment_id}")
        return str(client.create_experiment(_EXPERIMENT, artifact_location=location))

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """A client of the store; whatever goes wrong inside becomes one sentence."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            if self._is_own:
                self._folder.mkdir(parents=True, exist_ok=True)
            from mlflow.tracking import MlflowClient  # noqa: PLC0415 - see the module's docstring

            yield MlflowClient(tracking_uri=self.location, registry_uri=self.location)
        except Exception as error:  # the store may be a database, a server or a folder: each fails in its own way
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise StorageError(
                f"the MLflow store {self.location} cannot be used ({reason}); mend it or move it away, models go on "
                "scoring from their own folders meanwhile."
            ) from error


def _save_booster(text: Path, target: Path, features: Sequence[str]) -> None:
    """Write the booster in MLflow's format, with its signature: features in, probability before calibration out."""
    import lightgbm  # noqa: PLC0415 - only here is it needed
    import mlflow.lightgbm  # noqa: PLC0415
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, DataType, Schema  # noqa: PLC0415

    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.float, name, required=False) for name in features]),
        outputs=Schema([ColSpec(DataType.double, "probability_before_calibration")]),
    )
    mlflow.lightgbm.save_model(
        lightgbm.Booster(model_file=str(text)),
        str(target),
        signature=signature,
        pip_requirements=[f"lightgbm=={lightgbm.__version__}"],
    )
