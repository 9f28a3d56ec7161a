"""What endpoints of flags share: the flags as documents."""

from app.api.documents import DocumentsOf
from app.errors import Code
from app.stores.records import Collection
from flags.model import Flag

FLAGS = DocumentsOf(Collection.FLAG, Flag, "key", lambda state, key: state.ruleset.document(key), Code.UNKNOWN_FLAG)
