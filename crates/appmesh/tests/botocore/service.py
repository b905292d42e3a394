"""The App Mesh service model that botocore ships."""

from botocore.loaders import Loader
from botocore.model import ServiceModel

MODEL = ServiceModel(Loader().load_service_model("appmesh", "service-2", api_version="2019-01-25"))


def operations():
    return [MODEL.operation_model(name) for name in MODEL.operation_names]
