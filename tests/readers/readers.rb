# What the gem `dotenv` sees: `ruby readers.rb FOLDER` prints one JSON object a file, in the order of their numbers, or
# `null` where it gives the file up.
require "json"
require "dotenv"

folder = ARGV.fetch(0)
Dir.children(folder).length.times do |number|
  values = begin
    Dotenv::Environment.new(File.join(folder, "#{number}.env"), true).to_h
  rescue Dotenv::FormatError
    nil
  end
  puts JSON.generate(values)
end
