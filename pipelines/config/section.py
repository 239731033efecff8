"""What every table of the configuration has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file. The description of a field is its comment in a new file."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")
