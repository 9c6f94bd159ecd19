// Parquet and Arrow files by the Arrow C++ library.
#include "arrow_tables.hpp"

#include "text_reader.hpp"

#include <bert/error.hpp>

#include <cstring>

#ifdef BERT_CLI_ARROW

#include "interrupt.hpp"
#include "records.hpp"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace {

// Rows that are converted at once.
constexpr std::int64_t batch_rows = 1024;
// Of a row group: a writer keeps one in memory.
constexpr std::size_t row_group_bytes = std::size_t{32} << 20;

/// Throws unless a call succeeded. Messages of the library may have several lines; the first says what is wrong.
void check(const arrow::Status& status, const std::string& file) {
    if (status.ok()) return;
    const std::string message = status.message();
    throw bert::Error(status.IsIOError() ? bert::ErrorKind::file : bert::ErrorKind::format,
                      file + ": " + message.substr(0, message.find('\n')));
}

template <class T>
T checked(arrow::Result<T> result, const std::string& file) {
    check(result.status(), file);
    return std::move(result).ValueUnsafe();
}

/// Calls the Parquet library, parts of which throw.
template <class Call>
auto parquet_call(const std::string& file, Call&& call) {
    try {
        return call();
    } catch (const parquet::ParquetException& error) {
        const std::string message = error.what();
        throw bert::Error(bert::ErrorKind::format, file + ": " + message.substr(0, message.find('\n')));
    }
}

template <class ArrayType>
const ArrayType& as(const arrow::Array& array) {
    return static_cast<const ArrayType&>(array);
}

Record json_of(const arrow::Array& array, std::int64_t row);

template <class ListType>
Record json_of_list(const ListType& list, std::int64_t row) {
    Record values = Record::array();
    for (std::int64_t i = 0; i < list.value_length(row); ++i) {
        values.push_back(json_of(*list.values(), list.value_offset(row) + i));
    }
    return values;
}

/// A cell as JSON.
Record json_of(const arrow::Array& array, std::int64_t row) {
    if (array.IsNull(row)) return nullptr;
    switch (array.type_id()) {
        case arrow::Type::NA: return nullptr;
        case arrow::Type::BOOL: return as<arrow::BooleanArray>(array).Value(row);
        case arrow::Type::INT8: return as<arrow::Int8Array>(array).Value(row);
        case arrow::Type::INT16: return as<arrow::Int16Array>(array).Value(row);
        case arrow::Type::INT32: return as<arrow::Int32Array>(array).Value(row);
        case arrow::Type::INT64: return as<arrow::Int64Array>(array).Value(row);
        case arrow::Type::UINT8: return as<arrow::UInt8Array>(array).Value(row);
        case arrow::Type::UINT16: return as<arrow::UInt16Array>(array).Value(row);
        case arrow::Type::UINT32: return as<arrow::UInt32Array>(array).Value(row);
        case arrow::Type::UINT64: return as<arrow::UInt64Array>(array).Value(row);
        // As a double it would be written with more digits than it has.
        case arrow::Type::FLOAT: return std::strtod(shortest(as<arrow::FloatArray>(array).Value(row)).c_str(), nullptr);
        case arrow::Type::HALF_FLOAT:
            return std::strtod(array.GetScalar(row).ValueOrDie()->ToString().c_str(), nullptr);
        case arrow::Type::DOUBLE: return as<arrow::DoubleArray>(array).Value(row);
        case arrow::Type::STRING:
        case arrow::Type::BINARY: return as<arrow::BinaryArray>(array).GetString(row);
        case arrow::Type::LARGE_STRING:
        case arrow::Type::LARGE_BINARY: return as<arrow::LargeBinaryArray>(array).GetString(row);
        case arrow::Type::STRING_VIEW:
        case arrow::Type::BINARY_VIEW: return as<arrow::BinaryViewArray>(array).GetString(row);
        case arrow::Type::LIST:
        case arrow::Type::MAP: return json_of_list(as<arrow::ListArray>(array), row);
        case arrow::Type::LARGE_LIST: return json_of_list(as<arrow::LargeListArray>(array), row);
        case arrow::Type::FIXED_SIZE_LIST: return json_of_list(as<arrow::FixedSizeListArray>(array), row);
        case arrow::Type::STRUCT: {
            const auto& fields = as<arrow::StructArray>(array);
            Record object = Record::object();
            for (int i = 0; i < fields.num_fields(); ++i) {
                object[fields.struct_type()->field(i)->name()] = json_of(*fields.field(i), row);
            }
            return object;
        }
        case arrow::Type::DICTIONARY: {
            const auto& coded = as<arrow::DictionaryArray>(array);
            return json_of(*coded.dictionary(), coded.GetValueIndex(row));
        }
        default: return array.GetScalar(row).ValueOrDie()->ToString();
    }
}

}  // namespace

void require_arrow() {}

struct ArrowRows::State {
    explicit State(const std::string& name) : file(name) {
        source = checked(arrow::io::ReadableFile::Open(file), file);
        const auto magic = checked(source->ReadAt(0, 6), file)->ToString();
        check(source->Seek(0), file);
        if (magic.compare(0, 4, "PAR1") == 0) open_parquet();
        else if (magic == "ARROW1") table = checked(arrow::ipc::RecordBatchFileReader::Open(source), file);
        else stream = checked(arrow::ipc::RecordBatchStreamReader::Open(source), file);
    }

    void open_parquet() {
        parquet_call(file, [&] {
            parquet::ReaderProperties properties;
            properties.enable_buffered_stream();  // else a whole column of a row group is read
            parquet::ArrowReaderProperties arrow_properties;
            arrow_properties.set_batch_size(batch_rows);
            arrow_properties.set_pre_buffer(false);
            arrow_properties.set_use_threads(false);
            parquet::arrow::FileReaderBuilder builder;
            check(builder.Open(source, properties), file);
            builder.properties(arrow_properties);
            check(builder.Build(&parquet), file);
            stream = checked(parquet->GetRecordBatchReader(), file);
        });
    }

    const arrow::Schema& schema() const { return table ? *table->schema() : *stream->schema(); }

    /// The next batch; none at the end.
    std::shared_ptr<arrow::RecordBatch> next_batch() {
        std::shared_ptr<arrow::RecordBatch> next;
        if (!table) {
            parquet_call(file, [&] { check(stream->ReadNext(&next), file); });
        } else if (read < table->num_record_batches()) {
            next = checked(table->ReadRecordBatch(read++), file);
        }
        // Offsets and lengths come from the file.
        if (next) check(next->ValidateFull(), file);
        return next;
    }

    std::string file;
    std::shared_ptr<arrow::io::ReadableFile> source;
    std::unique_ptr<parquet::arrow::FileReader> parquet;  // what `stream` reads from, or none
    std::shared_ptr<arrow::RecordBatchReader> stream;
    std::shared_ptr<arrow::ipc::RecordBatchFileReader> table;
    int read = 0;  // batches of `table`
    std::shared_ptr<arrow::RecordBatch> batch;
    std::int64_t row = 0;  // of `batch`, that comes next
};

ArrowRows::ArrowRows(const std::string& file) : state_(std::make_unique<State>(file)) {}

std::vector<std::string> ArrowRows::columns() const {
    return state_->schema().field_names();
}

bool ArrowRows::append(std::string& json) {
    State& s = *state_;
    while (!s.batch || s.row == s.batch->num_rows()) {
        throw_if_interrupted();
        s.batch = s.next_batch();
        s.row = 0;
        if (!s.batch) return false;
    }
    Record record = Record::object();
    for (int i = 0; i < s.batch->num_columns(); ++i) {
        record[s.batch->column_name(i)] = json_of(*s.batch->column(i), s.row);
    }
    ++s.row;
    json += record.dump(-1, ' ', false, Record::error_handler_t::replace);
    return true;
}

namespace {

/// Reads the rows of parquet_row() one after another.
class RowReader {
public:
    RowReader(const std::filesystem::path& path, std::size_t dimension)
        : name_(path.string()), file_(std::fopen(name_.c_str(), "rb"), &std::fclose), floats_(dimension) {
        if (!file_) throw bert::Error(bert::ErrorKind::file, name_ + ": could not be opened");
    }

    bool next() {
        std::uint32_t length = 0;
        if (std::fread(&length, sizeof length, 1, file_.get()) != 1) {
            if (std::ferror(file_.get())) fail();
            return false;
        }
        json_.resize(length);
        if (std::fread(json_.data(), 1, length, file_.get()) != length) fail();
        if (std::fread(floats_.data(), sizeof(float), floats_.size(), file_.get()) != floats_.size()) fail();
        record = Record::parse(json_, nullptr, false);
        return true;
    }

    const std::vector<float>& floats() const { return floats_; }
    std::size_t bytes() const { return json_.size() + floats_.size() * sizeof(float); }

    Record record;

private:
    [[noreturn]] void fail() { throw bert::Error(bert::ErrorKind::file, name_ + ": could not be read"); }

    std::string name_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
    std::string json_;
    std::vector<float> floats_;
};

enum class CellType { none, boolean, integer, number, text, json };

CellType type_of(const Record& value) {
    switch (value.type()) {
        case Record::value_t::null: return CellType::none;
        case Record::value_t::boolean: return CellType::boolean;
        case Record::value_t::number_integer: return CellType::integer;
        case Record::value_t::number_unsigned:
            return value.get<std::uint64_t>() <= INT64_MAX ? CellType::integer : CellType::json;
        case Record::value_t::number_float: return CellType::number;
        case Record::value_t::string: return CellType::text;
        default: return CellType::json;
    }
}

/// The type of a column that holds both.
CellType joined(CellType a, CellType b) {
    if (a == b || b == CellType::none) return a;
    if (a == CellType::none) return b;
    const auto counts = [](CellType type) { return type == CellType::integer || type == CellType::number; };
    return counts(a) && counts(b) ? CellType::number : CellType::json;
}

struct Column {
    std::string name;
    CellType type = CellType::none;
    std::shared_ptr<arrow::ArrayBuilder> builder = nullptr;
};

std::vector<Column> columns_of(RowReader&& rows) {
    std::vector<Column> columns;
    while (rows.next()) {
        throw_if_interrupted();
        // Records of one source have the same fields in the same order, nearly always.
        std::size_t expected = 0;
        for (const auto& [name, value] : rows.record.items()) {
            const auto named = [&, &key = name](const Column& column) { return column.name == key; };
            auto found = columns.begin() + static_cast<std::ptrdiff_t>(std::min(expected++, columns.size()));
            if (found == columns.end() || !named(*found)) found = std::find_if(columns.begin(), columns.end(), named);
            if (found == columns.end()) found = columns.insert(found, Column{name});
            found->type = joined(found->type, type_of(value));
        }
    }
    return columns;
}

std::shared_ptr<arrow::DataType> arrow_type(CellType type) {
    switch (type) {
        case CellType::boolean: return arrow::boolean();
        case CellType::integer: return arrow::int64();
        case CellType::number: return arrow::float64();
        default: return arrow::utf8();
    }
}

arrow::Status append_cell(const Column& column, const Record* value) {
    arrow::ArrayBuilder& builder = *column.builder;
    if (!value || value->is_null()) return builder.AppendNull();
    switch (column.type) {
        case CellType::boolean: return static_cast<arrow::BooleanBuilder&>(builder).Append(value->get<bool>());
        case CellType::integer: return static_cast<arrow::Int64Builder&>(builder).Append(value->get<std::int64_t>());
        case CellType::number: return static_cast<arrow::DoubleBuilder&>(builder).Append(value->get<double>());
        case CellType::text:
            return static_cast<arrow::StringBuilder&>(builder).Append(value->get_ref<const std::string&>());
        default: return static_cast<arrow::StringBuilder&>(builder).Append(value->dump());
    }
}

}  // namespace

void write_parquet(const std::filesystem::path& rows, std::size_t dimension, const std::filesystem::path& path) {
    const std::string file = path.string();
    const auto width = static_cast<std::int32_t>(dimension);
    std::vector<Column> columns = columns_of(RowReader(rows, dimension));
    arrow::FieldVector fields;
    for (Column& column : columns) {
        fields.push_back(arrow::field(column.name, arrow_type(column.type)));
        column.builder = checked(arrow::MakeBuilder(fields.back()->type()), file);
    }
    const auto floats = std::make_shared<arrow::FloatBuilder>();
    arrow::FixedSizeListBuilder embeddings(arrow::default_memory_pool(), floats, width);
    fields.push_back(arrow::field("embedding", arrow::fixed_size_list(arrow::float32(), width), false));
    const auto schema = arrow::schema(fields);

    parquet::WriterProperties::Builder properties;
    if (arrow::util::Codec::IsAvailable(arrow::Compression::SNAPPY))
        properties.compression(parquet::Compression::SNAPPY);
    properties.disable_dictionary("embedding.list.element");  // no two are alike
    parquet::ArrowWriterProperties::Builder arrow_properties;
    arrow_properties.store_schema();  // so that readers see lists of one length

    parquet_call(file, [&] {
        const auto sink = checked(arrow::io::FileOutputStream::Open(file), file);
        const auto writer = checked(parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), sink,
                                                                     properties.build(), arrow_properties.build()),
                                    file);
        RowReader reader(rows, dimension);
        std::size_t bytes = 0;  // of the row group
        for (;;) {
            throw_if_interrupted();
            const bool full = bytes >= row_group_bytes;
            if (full) bytes = 0;
            std::int64_t count = 0;
            for (; count < batch_rows && bytes < row_group_bytes && reader.next(); ++count) {
                bytes += reader.bytes();
                for (const Column& column : columns) {
                    const auto found = reader.record.find(column.name);
                    check(append_cell(column, found == reader.record.end() ? nullptr : &*found), file);
                }
                check(embeddings.Append(), file);
                check(floats->AppendValues(reader.floats()), file);
            }
            if (count == 0) break;
            if (full) check(writer->NewBufferedRowGroup(), file);
            arrow::ArrayVector arrays;
            for (const Column& column : columns) arrays.push_back(checked(column.builder->Finish(), file));
            arrays.push_back(checked(embeddings.Finish(), file));
            check(writer->WriteRecordBatch(*arrow::RecordBatch::Make(schema, count, arrays)), file);
        }
        check(writer->Close(), file);
        check(sink->Close(), file);
    });
}

#else

void require_arrow() {
    throw bert::Error(bert::ErrorKind::unsupported,
                      "Parquet and Arrow files: this tool was built without the Arrow C++ library");
}

struct ArrowRows::State {};

ArrowRows::ArrowRows(const std::string&) {
    require_arrow();
}

std::vector<std::string> ArrowRows::columns() const {
    return {};
}

bool ArrowRows::append(std::string&) {
    return false;
}

void write_parquet(const std::filesystem::path&, std::size_t, const std::filesystem::path&) {
    require_arrow();
}

#endif

ArrowRows::ArrowRows(ArrowRows&&) noexcept = default;
ArrowRows& ArrowRows::operator=(ArrowRows&&) noexcept = default;
ArrowRows::~ArrowRows() = default;

std::string parquet_row(std::string_view json, const float* embedding, std::size_t dimension) {
    const auto length = static_cast<std::uint32_t>(json.size());
    std::string row(sizeof length + json.size() + dimension * sizeof(float), '\0');
    std::memcpy(row.data(), &length, sizeof length);
    std::memcpy(row.data() + sizeof length, json.data(), json.size());
    std::memcpy(row.data() + sizeof length + json.size(), embedding, dimension * sizeof(float));
    return row;
}
