"""Access to the attributes of an event by name: properties, and the getters of the SDK.

Data and dict-style access are for `event`.
"""

from datetime import datetime
from typing import Any

from pyfunc.cloudevents.attributes import parse_time

__all__ = ["Accessors"]


class Accessors:
    """Properties named as the attributes, and the getters of the SDK's `BaseCloudEvent`."""

    __slots__ = ("_attributes",)

    _attributes: dict[str, Any]

    @property
    def id(self) -> str:
        """The `id` attribute."""
        return str(self._attributes["id"])

    @property
    def source(self) -> str:
        """The `source` attribute."""
        return str(self._attributes["source"])

    @property
    def type(self) -> str:
        """The `type` attribute."""
        return str(self._attributes["type"])

    @property
    def specversion(self) -> str:
        """The `specversion` attribute."""
        return str(self._attributes["specversion"])

    @property
    def subject(self) -> str | None:
        """The `subject` attribute, if set."""
        return self._attributes.get("subject")

    @property
    def datacontenttype(self) -> str | None:
        """The `datacontenttype` attribute, if set."""
        return self._attributes.get("datacontenttype")

    @property
    def dataschema(self) -> str | None:
        """The `dataschema` attribute, if set."""
        return self._attributes.get("dataschema")

    @property
    def time(self) -> datetime | None:
        """The `time` attribute as an aware datetime, if set, cut to microseconds."""
        text = self._attributes.get("time")
        return None if text is None else parse_time(text)

    def get_id(self) -> str:
        """Return the `id`."""
        return self.id

    def get_source(self) -> str:
        """Return the `source`."""
        return self.source

    def get_type(self) -> str:
        """Return the `type`."""
        return self.type

    def get_specversion(self) -> str:
        """Return the `specversion`."""
        return self.specversion

    def get_datacontenttype(self) -> str | None:
        """Return the `datacontenttype`, if set."""
        return self.datacontenttype

    def get_dataschema(self) -> str | None:
        """Return the `dataschema`, if set."""
        return self.dataschema

    def get_subject(self) -> str | None:
        """Return the `subject`, if set."""
        return self.subject

    def get_time(self) -> datetime | None:
        """Return the `time`, if set."""
        return self.time

    def get_extension(self, extension_name: str) -> Any:
        """Return an extension attribute, or `None`."""
        return self._attributes.get(extension_name)
