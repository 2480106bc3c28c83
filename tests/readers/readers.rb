# What the gem `dotenv` sees: `ruby readers.rb FOLDER` prints one JSON object a file, in the order of their numbers, or
# `null` where it gives the file up.
require "json"
require "dotenv"

# It runs commands that stand in values: there are none.
ENV["PATH"] = "/nonexistent"
folder = ARGV.fetch(0)
Dir.children(folder).length.times do |number|
  values = begin
    Dotenv::Environment.new(File.join(folder, "#{number}.env"), true).to_h
  rescue Dotenv::FormatError, SystemCallError
    nil
  end
  puts JSON.generate(values)
end
